// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel
import Foundation
import HostPolicy
import KernelWatch
import TestSupport
import Testing

@testable import KernelBackend

/// Exclusions in the kernel program: their subjects, their evidence, and that a change of the file ends them.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct KernelExclusionTests {
    static let today = CalendarDay(ofMilliseconds: Int64(Date().timeIntervalSince1970 * 1000))

    /// The test's own copy of the stub, with exclusions for it in force.
    struct Excluded {
        let folder: TemporaryFolder
        let program: String
        let watch: Watch

        init(_ evidence: EvidenceKind, as subject: (String, String) -> Exclusion.Subject = { .executable(path: $0, sha256: $1) })
            async throws
        {
            watch = try #require(Watch.shared)
            folder = try TemporaryFolder()
            program = folder.path + "/call-stub"
            try FileManager.default.copyItem(atPath: Fixtures.path("call-stub"), toPath: program)
            // Other users must be able to run it.
            chmod(folder.path, 0o755)
            let hash = try await Command.run("/usr/bin/sha256sum", [program]).output.prefix(64)
            var resolver = ExclusionResolver()
            let exclusion = Exclusion(
                subject: subject(program, String(hash)), evidence: evidence, reason: "a test", until: nil)
            let (table, problems) = resolver.resolve([exclusion], on: KernelExclusionTests.today)
            #expect(problems.isEmpty)
            #expect(!table.isEmpty)
            try watch.backend.setExclusions(table)
        }

        func calls(_ form: String, _ call: String, wait: Int = 300, as user: String? = nil) async throws -> [Detection] {
            let receiver = Receiver(datagrams: call != "connect")
            let words = [program, form, "anonymous", call, String(receiver.port)]
            let run =
                try await user == nil
                ? Command.run(words[0], Array(words.dropFirst()))
                : Command.run("/usr/bin/setpriv", ["--reuid", user!, "--clear-groups"] + words)
            #expect(run.output.contains("errno 0") || call == "connect", "\(run.output)\(run.errors)")
            return await watch.calls(of: run.processID, milliseconds: wait)
        }
    }

    @Test func `a programs kind of evidence does not count`() async throws {
        let excluded = try await Excluded(.libraryCall)
        let before = excluded.watch.backend.statistics.excluded
        #expect(try await excluded.calls("library", "connect").isEmpty)
        #expect(try await excluded.calls("library", "send").isEmpty)
        #expect(excluded.watch.backend.statistics.excluded >= before + 2)
        #expect(try await excluded.calls("direct", "connect", wait: 3000).first?.evidence.map(\.kind) == [.directCall])
        try excluded.watch.backend.setExclusions(ExclusionTable())
        #expect(try await excluded.calls("library", "connect", wait: 3000).first?.evidence.map(\.kind) == [.libraryCall])
    }

    /// An exclusion is told by the file that the kernel names as a process's program, and a process can have another one named.
    @Test(arguments: [[], ["child"]]) func `who poses as an excluded program is excluded from nothing`(_ more: [String]) async throws {
        let excluded = try await Excluded(.libraryCall)
        let other = try await OwnCodeProgram()
        let run = try await Command.run(other.path, ["posed", excluded.program] + more)
        try #require(run.output.hasPrefix("posed\n"), "this kernel lets nobody pose: \(run.output)\(run.errors)")
        let process = try #require(run.output.firstMatch(of: /process (\d+)/).flatMap { Int32($0.1) })
        #expect(await excluded.watch.calls(of: process).first?.evidence.first?.kind == .libraryCall)
        try excluded.watch.backend.setExclusions(ExclusionTable())
    }

    @Test(arguments: [("datagram", "send"), ("direct", "send-copy")])
    func `code that sends itself is not excluded with the call`(_ form: String, _ call: String) async throws {
        let excluded = try await Excluded(.directCall)
        #expect(try await excluded.calls("direct", "send").isEmpty)
        #expect(try await excluded.calls(form, call, wait: 3000).first?.evidence.map(\.kind) == [.sendsItself])
        try excluded.watch.backend.setExclusions(ExclusionTable())
    }

    @Test func `a file that changed is excluded no more`() async throws {
        let excluded = try await Excluded(.directCall)
        #expect(try await excluded.calls("direct", "connect").isEmpty)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: excluded.program))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([0]))
        try handle.close()
        #expect(try await excluded.calls("direct", "connect", wait: 3000).count == 1)
        try excluded.watch.backend.setExclusions(ExclusionTable())
    }

    @Test func `a user is excluded and nobody else`() async throws {
        let excluded = try await Excluded(.directCall) { _, _ in .user("nobody") }
        #expect(try await excluded.calls("direct", "connect", as: "nobody").isEmpty)
        #expect(try await excluded.calls("direct", "connect", wait: 3000).count == 1)
        try excluded.watch.backend.setExclusions(ExclusionTable())
    }

    @Test(.enabled(if: Self.groupRoot != nil, "needs control groups version 2, mounted"))
    func `a unit is excluded with all groups below it`() async throws {
        let root = try #require(Self.groupRoot)
        let unit = root + "/epitope-kernel-test-\(getpid()).service"
        let below = unit + "/below"
        try #require(mkdir(unit, 0o755) == 0 && mkdir(below, 0o755) == 0)
        defer {
            rmdir(below)
            rmdir(unit)
        }
        let name = (unit as NSString).lastPathComponent
        let excluded = try await Excluded(.directCall) { _, _ in .unit(name) }
        let receiver = Receiver(datagrams: false)
        let script = "echo $$ >\(below)/cgroup.procs; exec \(excluded.program) direct anonymous connect \(receiver.port)"
        let run = try await Command.run("/bin/sh", ["-c", script])
        #expect(await excluded.watch.calls(of: run.processID, milliseconds: 300).isEmpty)
        #expect(run.output.contains("expected"))
        #expect(try await excluded.calls("direct", "connect", wait: 3000).count == 1)
        try excluded.watch.backend.setExclusions(ExclusionTable())
    }

    static let groupRoot: String? = {
        let mounts = (try? KernelFile.text("/proc/self/mounts")) ?? ""
        let unified = mounts.split(separator: "\n").first { $0.contains(" cgroup2 ") }
        return unified?.split(separator: " ").dropFirst().first.map(String.init)
    }()

    @Test func `steps take away first and leave the rest`() throws {
        let hash: EvidenceKind = .directCall
        func exclusion(_ kind: EvidenceKind) -> Exclusion { Exclusion(subject: .user("x"), evidence: kind, reason: "r", until: Self.today) }
        var old = ExclusionTable()
        old.add(exclusion(hash), for: .user(1))
        old.add(exclusion(hash), for: .user(2))
        var new = ExclusionTable()
        new.add(exclusion(hash), for: .user(2))
        new.add(exclusion(.libraryCall), for: .user(3))
        new.add(exclusion(.memoryFile), for: .user(3))
        let steps = ExclusionEntries(new).steps(from: ExclusionEntries(old))
        #expect(steps.map(\.key.first) == [1, 3])
        #expect(steps[0].value == nil)
        #expect(steps[1].value?.kinds == epitope_policy.bits(of: [.libraryCall, .memoryFile]))
        #expect(epitope_policy.kinds(of: epitope_policy.bits(of: Set(EvidenceKind.allCases))) == Set(EvidenceKind.allCases))
    }
}
