// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation
import TestSupport
import Testing

@testable import ProcessContext

/// How far a system is patched: by what it says of itself, in trees of the test's own and on this machine.
@Suite struct PatchLevelTests {
    let folder = OddProcessTableTests.Folder()

    private func packages() -> PackageDatabase? { RootFolder(folder.path + "/root").flatMap { PackageDatabase(root: $0) } }

    @Test(arguments: [
        (
            "BOOT_IMAGE=/vmlinuz root=UUID=1 ro quiet mitigations=off spec_store_bypass_disable=on",
            ["mitigations=off", "spec_store_bypass_disable=on"]
        ),
        ("rd.luks.key=secret password=secret init_on_alloc=1 -- mitigations=off", ["init_on_alloc=1"]),
        (
            "spec-store-bypass-disable=on page-alloc.shuffle=1 nokaslr\n",
            ["spec-store-bypass-disable=on", "page-alloc.shuffle=1", "nokaslr"]
        ),
        ("dyndbg=\"file mitigations=off +p\" lsm=\"lockdown,bpf\" selinux=0", ["lsm=\"lockdown,bpf\"", "selinux=0"]),
        ("sysctl.kernel.randomize_va_space=0 sysctl.net.ipv4.ip_forward=1 xmitigations=off", ["sysctl.kernel.randomize_va_space=0"]),
        ("", []), ("\"", []),
    ]) func `Of the boot parameters those are told that matter for protection, and no others`(line: String, expected: [String]) {
        #expect(BootParameters.parameters(of: line) == expected)
    }

    @Test func `The microcode's revision is read where the kernel has it`() throws {
        #expect(Microcode.revision(proc: folder.path, sys: folder.path) == nil)
        try folder.write("cpuinfo", "processor\t: 0\nmodel name\t: X\nmicrocode\t: 0xf4\nprocessor\t: 1\nmicrocode\t: 0xf5\n")
        #expect(Microcode.revision(proc: folder.path, sys: folder.path) == "0xf4")
        try folder.write("devices/system/cpu/cpu0/microcode/version", "0x000000f6\n")
        #expect(Microcode.revision(proc: folder.path, sys: folder.path) == "0xf6")
        try folder.write("devices/system/cpu/cpu0/microcode/version", "rubbish\n")
        #expect(Microcode.revision(proc: folder.path, sys: folder.path) == "0xf4")
        try folder.write("cpuinfo", "processor : 0\nmicrocode :\n")
        #expect(Microcode.revision(proc: folder.path, sys: folder.path) == nil)
    }

    @Test(
        arguments: [
            ("6.1.0-38-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.148-1 (2025-08-26)", nil, "6.1.148-1"),
            ("5.15.0-91-generic", "#101-Ubuntu SMP Tue Nov 14", "Ubuntu 5.15.0-91.101-generic 5.15.131\n", "5.15.0-91.101"),
            ("6.5.0-1014-aws", "#14~22.04.1-Ubuntu SMP", "Ubuntu 6.5.0-1014.14~22.04.1-aws 6.5.3", "6.5.0-1014.14~22.04.1"),
            ("6.18.44", "#1 SMP", nil, nil),
            ("6.1.0", "Debian", "Ubuntu", nil),
        ] as [(String, String?, String?, String?)])
    func `The running kernel says of which package it is`(release: String, build: String?, signature: String?, expected: String?) {
        #expect(KernelRevision.find(release: release, build: build, signature: signature, packages: nil) == expected)
    }

    @Test func `Else the kernel's package is the one that dpkg or apk has installed for the release`() throws {
        try folder.write(
            "root/var/lib/dpkg/status",
            """
            Package: linux-image-6.9.1-own
            Status: install ok installed
            Architecture: amd64
            Version: 6.9.1-3

            Package: linux-image-6.9.2-own
            Status: deinstall ok config-files
            Version: 6.9.2-1

            Package: libc6
            Status: install ok installed
            Architecture: amd64
            Version: 2.36-9+deb12u13

            """)
        #expect(KernelRevision.find(release: "6.9.1-own", build: "#1", signature: nil, packages: packages()) == "6.9.1-3")
        #expect(KernelRevision.find(release: "6.9.2-own", build: "#1", signature: nil, packages: packages()) == nil)
        #expect(packages()?.version(of: "libc6") == "2.36-9+deb12u13")
        try FileManager.default.removeItem(atPath: folder.path + "/root/var")
        try folder.write("root/lib/apk/db/installed", "C:Q1\nP:musl\nV:1.2.5-r0\nA:x86_64\n\nP:linux-virt\nV:6.6.14-r0\n\n")
        #expect(packages()?.kind == .apk && packages()?.version(of: "musl") == "1.2.5-r0")
        #expect(KernelRevision.find(release: "6.6.14-0-virt", build: "#1-Alpine", signature: nil, packages: packages()) == "6.6.14-r0")
        #expect(KernelRevision.find(release: "6.6.13-0-virt", build: "#1-Alpine", signature: nil, packages: packages()) == nil)
        try FileManager.default.removeItem(atPath: folder.path + "/root/lib")
        #expect(packages() == nil)
    }

    @Test func `On systems with rpm the kernel's release is its package's`() throws {
        let database = RpmDatabaseTests()
        _ = try database.database([("kernel-default", "5.14.21", "150500.55.39.1"), ("kernel-default", "5.14.21", "150500.55.44.2")])
        let packages = try #require(RootFolder(database.folder.path + "/root").flatMap { PackageDatabase(root: $0) })
        func revision(_ release: String) -> String? {
            KernelRevision.find(release: release, build: "#1", signature: nil, packages: packages)
        }
        #expect(revision("5.14.0-427.13.1.el9_4.x86_64") == "5.14.0-427.13.1.el9_4")
        #expect(revision("5.14.21-150500.55.39-default") == "5.14.21-150500.55.39.1")
        #expect(revision("5.14.21-150500.55.20-default") == "5.14.21-150500.55.20")
        #expect(revision("6.9.1") == nil)
    }

    @Test func `A C library says of which package it is, in its banner or in its note`() {
        func revision(_ text: String) -> String? { LibcRevision.revision(file: Array(("\u{7f}ELF" + text + "\0").utf8)) }
        #expect(revision("GNU C Library (Debian GLIBC 2.36-9+deb12u13) stable release version 2.36.") == "2.36-9+deb12u13")
        #expect(revision("GNU C Library (Ubuntu GLIBC 2.35-0ubuntu3.6) stable release version 2.35.") == "2.35-0ubuntu3.6")
        #expect(revision("GNU C Library (GNU libc) stable release version 2.34.") == nil)
        let json = Array(#"{"type":"rpm","name":"glibc","version":"2.39-15.fc40","architecture":"x86_64"}"#.utf8) + [0]
        func noted(_ size: Int) -> String? {
            let sizes = [4, size].flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
            return LibcRevision.revision(file: [1, 2, 3, 4] + sizes + [0x7e, 0x1a, 0xfe, 0xca] + Array("FDO\0".utf8) + json)
        }
        #expect(noted(json.count) == "2.39-15.fc40")
        #expect(noted(json.count + 1) == nil && noted(0) == nil && noted(20) == nil && noted(1 << 30) == nil)
    }

    @Test(
        arguments: [
            ("ID=debian\nVERSION_ID=\"12\"\n", "etc/debian_version", "12.11\n", "12.11"),
            ("ID=debian\nVERSION_ID=\"12\"\n", "etc/debian_version", "trixie/sid\n", "12"),
            (
                "ID=ubuntu\nVERSION_ID=\"22.04\"\nVERSION=\"22.04.4 LTS (Jammy Jellyfish)\"\n", "etc/debian_version", "bookworm/sid\n",
                "22.04.4"
            ),
            (
                "ID=\"centos\"\nVERSION_ID=\"7\"\nVERSION=\"7 (Core)\"\n", "etc/system-release", "CentOS Linux release 7.9.2009 (Core)\n",
                "7.9.2009"
            ),
            ("ID=\"rocky\"\nVERSION_ID=\"9.4\"\n", "etc/system-release", "Rocky Linux release 9.4 (Blue Onyx)\n", "9.4"),
            (
                "ID=\"amzn\"\nVERSION_ID=\"2023\"\n", "etc/system-release", "Amazon Linux release 2023.3.20240108 (Amazon Linux)\n",
                "2023.3.20240108"
            ),
            ("ID=alpine\nVERSION_ID=3.19.1\n", "etc/alpine-release", "3.19.1\n", "3.19.1"),
            ("ID=arch\n", "etc/x", "", nil),
        ] as [(String, String, String, String?)])
    func `The distribution's point release is told where the system has it`(release: String, file: String, text: String, expected: String?)
        throws
    {
        try folder.write("root/etc/os-release", release)
        try folder.write("root/\(file)", text)
        #expect(Distribution(root: try #require(RootFolder(folder.path + "/root"))).version == expected)
    }

    @Test func `What was read is known until the files change`() throws {
        let database = RpmDatabaseTests()
        _ = try database.database([("glibc", "2.39", "15.fc40")])
        let root = try #require(RootFolder(database.folder.path + "/root"))
        var cache = FactCache()
        let before = try #require(PackageDatabase(root: root))
        #expect(cache.revision(of: .glibc, in: before) == "2.39-15.fc40")
        #expect(cache.revision(of: .glibc, in: before) == "2.39-15.fc40" && cache.revision(of: .musl, in: before) == nil)
        let path = try database.database([("glibc", "2.39", "22.fc40")])
        let time = Date(timeIntervalSince1970: 1_750_000_000.25)
        try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: path)
        let after = try #require(PackageDatabase(root: root))
        #expect(cache.revision(of: .glibc, in: after) == "2.39-22.fc40")
        #expect(after.changedMilliseconds == 1_750_000_000_250)
        // The machine's own.
        let places = MachineFacts.Places(proc: database.folder.path, sys: database.folder.path, root: database.folder.path + "/root")
        try database.folder.write("cmdline", "mitigations=off quiet\n")
        #expect(cache.machine(places, release: "6.8.5-301.fc40.x86_64", build: "#1").bootParameters == ["mitigations=off"])
        try database.folder.write("cmdline", "mitigations=auto quiet\n")
        #expect(cache.machine(places, release: "6.8.5-301.fc40.x86_64", build: "#1").bootParameters == ["mitigations=off"], "for a minute")
        _ = try database.database([("glibc", "2.39", "23.fc40")])
        let facts = cache.machine(places, release: "6.8.5-301.fc40.x86_64", build: "#1")
        #expect(facts.bootParameters == ["mitigations=auto"] && facts.kernelPackageVersion == "6.8.5-301.fc40" && facts.kernelBuild == "#1")
    }

    @Test func `This machine's own patch level is in what a packet says of it`() async throws {
        let host = ProcessContextCollector(hostID: nil)
        let (_, system) = await host.enrich(host.context(ofProcess: getpid(), thread: getpid()))
        #expect(system.kernelBuild == (try KernelFile.text("/proc/sys/kernel/version")).dropLast().description)
        let line = try KernelFile.text("/proc/cmdline")
        let told = try #require(system.bootParameters)
        #expect(told.allSatisfy { line.contains($0) } && told.contains { $0.hasPrefix("mitigations=") } == line.contains("mitigations="))
        let processors = try KernelFile.text("/proc/cpuinfo")
        #expect((system.microcodeRevision != nil) == processors.contains("microcode\t"))
        guard let status = try? FileManager.default.attributesOfItem(atPath: DpkgFiles.status),
            let changed = status[.modificationDate] as? Date
        else { return }
        #expect(system.lastUpdateMilliseconds.map { abs(Double($0) / 1000 - changed.timeIntervalSince1970) < 0.01 } == true)
        let libc = try #require(RootFolder("/").flatMap { DpkgVersions(root: $0, only: "libc6") }?.version(of: "libc6"))
        #expect(system.libcPackageVersion == libc)
    }
}
