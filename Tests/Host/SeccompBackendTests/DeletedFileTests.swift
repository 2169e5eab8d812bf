// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import ProcessInspection
import SeccompBackend
import TestSupport
import Testing

/// Files that were deleted and still run: weak evidence, unless an upgrade explains them.
@Suite struct DeletedFileTests {
    private typealias Facts = DeletedFile.Facts
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func `deletion counts unless something explains it`() {
        let plain = Facts(isNamed: false, isInMemory: false, isReplaced: false, deleted: 10_000, packagesChanged: nil)
        #expect(plain.isUnexplained)
        func with(_ change: (inout Facts) -> Void) -> Bool {
            var facts = plain
            change(&facts)
            return facts.isUnexplained
        }
        #expect(!with { $0.isNamed = true })
        #expect(!with { $0.isInMemory = true }, "evidence of another kind")
        #expect(!with { $0.isReplaced = true })
        #expect(!with { $0.deleted = nil }, "an upgrade may explain it")
        // Packages changed long before, during the upgrade that deleted it, at its end, and by a later one.
        #expect(with { $0.packagesChanged = 10_000 - DeletedFile.upgradeSeconds - 1 })
        for time in [10_000 - DeletedFile.upgradeSeconds, 9_999, 10_000, 10_030, 90_000] {
            #expect(!with { $0.packagesChanged = time }, "\(time)")
        }
    }

    @Test func `weighs ten points, and blocks and reports nothing by itself`() {
        let image = MemoryRegion(start: 0x1000, end: 0x2000, protection: [.read, .execute], backing: .image(path: "/usr/bin/x"))
        var seen = Observation(architecture: .x86_64, call: .connect, instructionPointer: 0x1800, region: image)
        seen.deletedFile = "/usr/bin/x"
        let verdict = Policy().judge(seen)
        #expect(verdict.evidence == [Evidence(kind: .deletedFile, detail: "/usr/bin/x was deleted, and runs")])
        #expect(verdict.action == .watched && !verdict.isReported)
        #expect(Policy(reportAt: 10).judge(seen).isReported && Policy(reportAt: 10).judge(seen).action == .watched)
        #expect(!EvidenceKind.deletedFile.isOfCode, "no signature comes of it")
        // Beside other evidence it is told.
        seen.region.backing = .anonymous
        #expect(Policy().judge(seen).evidence.map(\.kind) == [.directCall, .deletedFile])
        #expect(Policy().judge(seen, excluding: [.deletedFile]).evidence.map(\.kind) == [.directCall])
    }

    /// A copy of a program runs in a mount namespace of its own, in which nothing is known of the machine's packages.
    ///
    /// - Parameter afterwards: a shell line that is run there once the program runs; `$1` is its path.
    private func found(_ afterwards: String, in place: String? = nil) async throws -> DeletedFile? {
        let program = (place ?? folder.path) + "/program"
        let hidden = ["/var/lib/dpkg", "/var/lib/rpm", "/lib/apk", "/var/lib/pacman"].map {
            "if [ -d \($0) ]; then mount -t tmpfs none \($0); fi"
        }
        let namespace = try await Namespace(["--mount"], setup: hidden.joined(separator: "; "))
        try await namespace.run(["/bin/cp", "/bin/sleep", program])
        let words = namespace.inside([program, "600"])
        let running = try RunningProcess(words)
        defer { running.send(SIGKILL) }
        for _ in 0..<500 where (try? KernelFile.text("/proc/\(running.identifier)/comm")) != "program\n" {
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(DeletedFile.find(in: running.identifier) == nil, "it has a name")
        try await namespace.run(["/bin/sh", "-c", afterwards, "sh", program])
        return DeletedFile.find(in: running.identifier)
    }

    @Test(.enabled(if: getuid() == 0, "makes mount namespaces"))
    func `program that was deleted is found`() async throws {
        #expect(try await found(#"rm "$1""#)?.path == folder.path + "/program")
    }

    @Test(
        .enabled(if: getuid() == 0, "makes mount namespaces"),
        arguments: [
            // As install(1), dpkg and rpm replace a file; one that only got another name; an upgrade that has the file no more.
            #"cp /bin/true "$1.new" && mv "$1.new" "$1""#, #"mv "$1" "$1.old""#, #"ln "$1" "$1.old" && rm "$1""#,
            #"rm "$1" && ln -s /bin/true "$1""#, #"rm "$1" && mkdir -p /var/lib/dpkg && : > /var/lib/dpkg/status"#,
            #": > /var/lib/dpkg/status && rm "$1""#,
        ]) func `upgrade under a program that runs does not alarm`(_ afterwards: String) async throws
    {
        #expect(try await found(afterwards) == nil)
    }

    @Test(.enabled(if: getuid() == 0, "makes mount namespaces"))
    func `program in memory is evidence of another kind`() async throws {
        #expect(try await found(#"rm "$1""#, in: "/dev/shm") == nil)
    }

    /// A whole run, of a program that deletes itself and then connects.
    @Test(.enabled(if: getuid() == 0, "makes mount namespaces"), arguments: [10, 40])
    func `program that deletes itself is reported where weak evidence is asked for`(_ reportAt: Int) async throws {
        let service = try LoopbackSocket()
        let program = folder.path + "/program"
        try FileManager.default.copyItem(atPath: "/bin/bash", toPath: program)
        let script = #"rm "\#(program)"; exec 3<>/dev/tcp/127.0.0.1/\#(service.port) && echo connected"#
        let run = try await ProtectedRun.command(
            "/usr/bin/unshare",
            ["--mount", "/bin/sh", "-c", #"mount -t tmpfs none /var/lib/dpkg; exec "$0" -c "$1""#, program, script],
            policy: Policy(reportAt: reportAt))
        #expect(run.output == "connected\n" && run.statistics.denied == 0)
        let told = run.detections.filter { $0.call == .connect }
        guard reportAt == 10 else { return #expect(told.isEmpty) }
        #expect(told.first?.evidence == [Evidence(kind: .deletedFile, detail: "\(program) was deleted, and runs")])
        #expect(told.first?.action == .watched)
    }
}
