// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Testing

@testable import ProcessContext

/// Odd content in a process table of the test's own.
@Suite struct OddProcessTableTests {
    let folder = Folder()

    final class Folder {
        let path = FileManager.default.temporaryDirectory.path + "/epitope-proc-\(UUID().uuidString)"

        deinit {
            try? FileManager.default.removeItem(atPath: path)
        }

        func write(_ name: String, _ content: String) throws {
            let file = path + "/" + name
            try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Data(content.utf8).write(to: URL(fileURLWithPath: file))
        }

        func link(_ name: String, to target: String) throws {
            let file = path + "/" + name
            try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: target)
        }
    }

    private static let id = String(repeating: "0123456789abcdef", count: 4)

    @Test(arguments: [
        "0::/docker/ID", "0::/system.slice/docker-ID.scope", "0::/kubepods/burstable/pod1/ID",
        "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope", "0::/kubepods.slice/crio-ID.scope",
        "0::/machine.slice/libpod-ID.scope/container", "0::/kubepods-pod1.slice:cri-containerd:ID",
        "12:pids:/docker/ID\n0::/", "0::/../../docker-ID.scope",
    ]) func `A container's id is found where its runtime puts it`(cgroup: String) {
        #expect(ContainerID.find(in: cgroup.replacing("ID", with: Self.id)) == Self.id)
    }

    @Test(arguments: [
        "", "0::/", "0::/user.slice/user-0.slice/session-1.scope", "0::/docker/abc", "garbage", "0::/docker/xID",
        "0::/machine.slice/libpod-conmon-ID.scope",
    ]) func `No container's id is made up`(cgroup: String) {
        #expect(ContainerID.find(in: cgroup.replacing("ID", with: Self.id)) == nil)
    }

    @Test func `A table of sockets is read, and damaged lines are left out`() {
        let table = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100
               1: 0100007F:1F90 0200007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100
               2: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 13 1
               3: 0100007F 00000000:0000 0A 0:0 0:0 0 0 0 14
               4: zz:0016 00000000:0000 0A 0:0 0:0 0 0 0 15
               5: 0100007F:0017 00000000:0000 0A 0:0 0:0 0 0 0 99
            short
            """
        let entries = SocketTable(Array(table.utf8), inodes: [11, 12, 13, 14, 15]).entries
        #expect(entries.map(\.inode) == [11, 12, 13])
        #expect(entries.first?.local == SocketEndpoint(address: "127.0.0.1", port: 22))
        #expect(entries[1].peer == SocketEndpoint(address: "127.0.0.2", port: 50000))
        #expect(entries[2].local == SocketEndpoint(address: "::1", port: 53))
    }

    @Test func `Odd names, absent files and circles of parents do no harm`() throws {
        try folder.write("7/comm", "a\nb\u{1}\n")
        try folder.write("7/status", "Name:\tx\nPPid:\t8\nUid:\t33\t34\t33\t33\n")
        try folder.write("7/root/etc/passwd", "\n:::\nroot:x:0:0::/:\nwww:x:34:34::/:/bin/sh\n")
        try folder.write("8/status", "PPid:\t7\nUid:\tnonsense\n")
        try folder.link("7/exe", to: "/gone/program (deleted)")
        let seen = ProcessInspector(proc: folder.path).inspect(processID: 7, threadID: 9)
        #expect(seen.name == "a\nb\u{1}")
        #expect(seen.userID == 34)
        #expect(seen.userName == "www")
        #expect(seen.executable == Executable(path: "/gone/program (deleted)"))
        #expect(seen.parents.map(\.processID) == [8, 7])
        #expect(seen.listening.isEmpty)
    }

    /// The kernel tells this machine's number of a user. In another user namespace it is another's there.
    @Test(arguments: [("user:[1]", "of-the-container"), ("user:[2]", "of-the-machine")])
    func `A user is named by the root that has its number`(namespace: String, name: String) throws {
        try folder.write("7/status", "PPid:\t0\nUid:\t34\t34\t34\t34\n")
        try folder.write("7/root/etc/passwd", "of-the-container:x:34:34::/:\n")
        try folder.write("self/root/etc/passwd", "of-the-machine:x:34:34::/:\n")
        try folder.link("self/ns/user", to: "user:[1]")
        try folder.link("7/ns/user", to: namespace)
        #expect(ProcessInspector(proc: folder.path).inspect(processID: 7, threadID: 7).userName == name)
    }

    /// What only changed its root has the way to it before its paths, as this machine sees them.
    @Test func `The package of a program in a changed root is the one that owns it there`() async throws {
        let jail = folder.path + "/srv/jail"
        try folder.write("srv/jail/usr/bin/thing", "a program")
        try folder.write("srv/jail/var/lib/dpkg/status", "Package: thing\nStatus: install ok installed\nVersion: 1.2\n")
        try folder.write("srv/jail/var/lib/dpkg/info/thing.list", "/usr/bin/thing\n")
        try folder.write("7/status", "PPid:\t0\n")
        try folder.link("7/root", to: jail)
        try folder.link("7/exe", to: jail + "/usr/bin/thing")
        let host = ProcessContextCollector(hostID: nil, proc: folder.path)
        let seen = host.context(ofProcess: 7, thread: 7)
        #expect(seen.executable?.path == jail + "/usr/bin/thing")
        #expect(await host.enrich(seen).process.executable?.package == "thing")
        // Another time without a wait: it is there, or comes.
        let another = ProcessContextCollector(hostID: nil, proc: folder.path)
        let brief = await another.enrich(another.context(ofProcess: 7, thread: 7), maxPackageSeconds: 0)
        #expect((brief.process.executable?.package == nil) == (brief.latePackage != nil))
        let late = await brief.latePackage?.owner()
        #expect(brief.process.executable?.packageVersion ?? late?.version == "1.2")
    }

    @Test func `A deleted program is hashed no more, nor looked up`() async throws {
        try folder.write("7/status", "PPid:\t0\n")
        try folder.link("7/exe", to: "/gone/program (deleted)")
        let host = ProcessContextCollector(hostID: nil, proc: folder.path)
        let (process, _) = await host.enrich(host.context(ofProcess: 7, thread: 7))
        #expect(process.executable == Executable(path: "/gone/program (deleted)"))
    }

    @Test func `dpkg's lists are asked by either name of a merged folder`() throws {
        try folder.write(
            "var/lib/dpkg/status",
            """
            Package: coreutils
            Status: install ok installed
            Architecture: amd64
            Version: 9.1-1

            Package: gone
            Status: deinstall ok config-files
            Architecture: amd64
            Version: 1

            Package: libx
            Status: install ok installed
            Architecture: i386
            Version: 3:2~rc1
            """)
        try folder.write("var/lib/dpkg/info/coreutils.list", "/.\n/bin\n/bin/cat\n/usr/bin/env\n")
        try folder.write("var/lib/dpkg/info/libx:i386.list", "/usr/lib/libx.so.1\n")
        try folder.write("var/lib/dpkg/info/gone.list", "/usr/bin/gone")
        let root = try #require(RootFolder(folder.path))
        let index = try #require(DpkgIndex(root: root))
        for owner in [{ index.owner(of: $0, in: root) }, { DpkgSearch.owner(of: $0, in: root) }] {
            #expect(owner("/usr/bin/cat")?.package == "coreutils")
            #expect(owner("/usr/bin/cat")?.version == "9.1-1")
            #expect(owner("/bin/env")?.package == "coreutils")
            #expect(owner("/usr/lib/libx.so.1")?.package == "libx")
            #expect(owner("/lib/libx.so.1")?.version == "3:2~rc1")
            #expect(owner("/usr/bin/gone")?.package == "gone")
            #expect(owner("/usr/bin/gone")?.version == nil)
            #expect(owner("/usr/bin/ca") == nil)
        }
        #expect(RootFolder(folder.path + "/nowhere") == nil)
        let elsewhere = try #require(RootFolder(folder.path + "/var"))
        #expect(DpkgIndex(root: elsewhere) == nil)
        #expect(DpkgSearch.owner(of: "/bin/cat", in: elsewhere) == nil)
    }

    @Test func `Lists of packages that are named like the program are searched first`() {
        let names = ["zlib1g:amd64", "perl", "openssh-server", "perl-base", "python3.11-minimal", "python3"]
        #expect(DpkgSearch.likelyFirst(names, "/usr/bin/python3.11").prefix(2) == ["python3.11-minimal", "python3"])
        #expect(DpkgSearch.likelyFirst(names, "/usr/bin/perl").prefix(2) == ["perl", "perl-base"])
        #expect(Set(DpkgSearch.likelyFirst(names, "/usr/sbin/sshd")) == Set(names))
        #expect(Set(DpkgSearch.likelyFirst(names, "/")) == Set(names))
    }

    @Test(arguments: [
        ("/usr/bin/python3.11", true), ("/bin/sh", true), ("/lib64/ld-linux-x86-64.so.2", true), ("/opt/google/chrome/chrome", true),
        ("/usr/local/bin/tool", false), ("/tmp/a.out", false), ("/home/user/bin/x", false), ("/dev/shm/x", false), ("", false),
    ])
    func `A package's name is waited for where packages have their files`(path: String, isLikely: Bool) {
        #expect(PackageOwners.isLikely(path) == isLikely)
    }

    /// More files than are searched for one by one: then by an index.
    @Test func `A package is known, whenever it is asked for, and a new one once it is installed`() async throws {
        let names = (0..<12).map { "tool\($0)" }
        try folder.write(
            "var/lib/dpkg/status", names.map { "Package: \($0)\nStatus: install ok installed\nVersion: 1\n" }.joined(separator: "\n"))
        for name in names { try folder.write("var/lib/dpkg/info/\(name).list", "/usr/bin/\(name)\n") }
        let root = try #require(RootFolder(folder.path))
        let owners = PackageOwners(maxSeconds: 30)
        for name in names + names {
            #expect(await owners.lookUp("/usr/bin/\(name)", in: root).answer()?.package == name)
            #expect(await owners.lookUp("/usr/bin/no-\(name)", in: root).answer() == nil)
        }
        try folder.write("var/lib/dpkg/info/new.list", "/usr/bin/no-tool3\n")
        try folder.write("var/lib/dpkg/status", "Package: new\nStatus: install ok installed\nVersion: 2\n")
        #expect(await owners.lookUp("/usr/bin/no-tool3", in: root).answer()?.version == "2")
    }

    @Test func `The distribution is read with Debian's point release`() throws {
        try folder.write("etc/os-release", "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n")
        try folder.write("etc/debian_version", "12.11\n")
        #expect(Distribution(root: try #require(RootFolder(folder.path))).version == "12.11")
        try folder.write("etc/debian_version", "trixie/sid\n")
        #expect(Distribution(root: try #require(RootFolder(folder.path))).version == "12")
        try folder.write("etc/os-release", "ID='alpine'\nVERSION_ID=3.19.1\n")
        #expect(Distribution(root: try #require(RootFolder(folder.path))).id == "alpine")
        #expect(Distribution(root: try #require(RootFolder(folder.path))).version == "3.19.1")
        try folder.write("etc/os-release", "no such thing")
        #expect(Distribution(root: try #require(RootFolder(folder.path))).id == nil)
    }

    @Test func `The C library is recognised by its file, and its version read from it`() {
        let maps = Array("7f00-7f01 r-xp 0 08:01 1   /usr/bin/x\n7f02-7f03 r-xp 0 08:01 2   /usr/lib/x86_64-linux-gnu/libc.so.6\n".utf8)
        #expect(LibcVersion.library(in: maps)?.path == "/usr/lib/x86_64-linux-gnu/libc.so.6")
        #expect(LibcVersion.library(in: Array("1-2 r-xp 0 0:0 3 /lib/ld-musl-x86_64.so.1\n".utf8))?.library == .musl)
        #expect(LibcVersion.library(in: Array("1-2 r-xp 0 0:0 3 /lib/libcrypt.so.6\n".utf8)) == nil)
        #expect(LibcVersion.version(.glibc, file: Array("\0GNU C Library (Debian) stable release version 2.36.\nC".utf8)) == "glibc 2.36")
        #expect(LibcVersion.version(.glibc, file: Array("GNU C Library".utf8)) == nil)
        #expect(LibcVersion.version(.musl, file: Array("\0abc\u{0}1.2.3\0x".utf8)) == "musl 1.2.3")
        #expect(LibcVersion.version(.musl, file: Array("\u{0}1.2.3\u{0}4.5.6\0".utf8)) == nil)
    }
}
