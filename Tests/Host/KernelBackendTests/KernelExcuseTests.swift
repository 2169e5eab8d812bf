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

/// Excuses in the kernel program: for whom they hold, for which evidence, and that a change of the file ends them.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct KernelExcuseTests {
    static let today = CalendarDay(ofMilliseconds: Int64(Date().timeIntervalSince1970 * 1000))

    /// A copy of the stub of the test's own, and the excuses for it in force.
    struct Excused {
        let folder: TemporaryFolder
        let program: String
        let watch: Watch

        init(_ evidence: EvidenceKind, as subject: (String, String) -> Excuse.Subject = { .executable(path: $0, sha256: $1) }) async throws
        {
            watch = try #require(Watch.shared)
            folder = try TemporaryFolder()
            program = folder.path + "/call-stub"
            try FileManager.default.copyItem(atPath: Fixtures.path("call-stub"), toPath: program)
            // Whoever runs it as another user must reach it.
            chmod(folder.path, 0o755)
            let hash = try await Command.run("/usr/bin/sha256sum", [program]).output.prefix(64)
            var resolver = ExcuseResolver()
            let excuse = Excuse(
                subject: subject(program, String(hash)), evidence: evidence, reason: "a test", until: KernelExcuseTests.today)
            let (table, problems) = resolver.resolve([excuse], on: KernelExcuseTests.today)
            #expect(problems.isEmpty)
            #expect(!table.isEmpty)
            try watch.backend.set(table)
        }

        func calls(_ form: String, _ call: String, wait: Int = 300, as user: String? = nil) async throws -> [StalledCall] {
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

    @Test func aProgramsKindOfEvidenceDoesNotCount() async throws {
        let excused = try await Excused(.libraryCall)
        let before = excused.watch.backend.statistics.excused
        #expect(try await excused.calls("library", "connect").isEmpty)
        #expect(try await excused.calls("library", "send").isEmpty)
        #expect(excused.watch.backend.statistics.excused >= before + 2)
        #expect(try await excused.calls("direct", "connect", wait: 3000).first?.evidence.map(\.kind) == [.directCall])
        try excused.watch.backend.set(ExcuseTable())
        #expect(try await excused.calls("library", "connect", wait: 3000).first?.evidence.map(\.kind) == [.libraryCall])
    }

    @Test(arguments: [("datagram", "send"), ("direct", "send-copy")])
    func codeThatSendsItselfIsNotExcusedWithTheCall(_ form: String, _ call: String) async throws {
        let excused = try await Excused(.directCall)
        #expect(try await excused.calls("direct", "send").isEmpty)
        #expect(try await excused.calls(form, call, wait: 3000).first?.evidence.map(\.kind) == [.sendsItself])
        try excused.watch.backend.set(ExcuseTable())
    }

    @Test func aFileThatChangedIsExcusedNoMore() async throws {
        let excused = try await Excused(.directCall)
        #expect(try await excused.calls("direct", "connect").isEmpty)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: excused.program))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([0]))
        try handle.close()
        #expect(try await excused.calls("direct", "connect", wait: 3000).count == 1)
        try excused.watch.backend.set(ExcuseTable())
    }

    @Test func aUserIsExcusedAndNobodyElse() async throws {
        let excused = try await Excused(.directCall) { _, _ in .user("nobody") }
        #expect(try await excused.calls("direct", "connect", as: "nobody").isEmpty)
        #expect(try await excused.calls("direct", "connect", wait: 3000).count == 1)
        try excused.watch.backend.set(ExcuseTable())
    }

    @Test(.enabled(if: Self.groupRoot != nil, "needs control groups version 2, mounted"))
    func aUnitIsExcusedWithAllGroupsBelowIt() async throws {
        let root = try #require(Self.groupRoot)
        let unit = root + "/epitope-kernel-test-\(getpid()).service"
        let below = unit + "/below"
        try #require(mkdir(unit, 0o755) == 0 && mkdir(below, 0o755) == 0)
        defer {
            rmdir(below)
            rmdir(unit)
        }
        let name = (unit as NSString).lastPathComponent
        let excused = try await Excused(.directCall) { _, _ in .unit(name) }
        let receiver = Receiver(datagrams: false)
        let script = "echo $$ >\(below)/cgroup.procs; exec \(excused.program) direct anonymous connect \(receiver.port)"
        let run = try await Command.run("/bin/sh", ["-c", script])
        #expect(await excused.watch.calls(of: run.processID, milliseconds: 300).isEmpty)
        #expect(run.output.contains("expected"))
        #expect(try await excused.calls("direct", "connect", wait: 3000).count == 1)
        try excused.watch.backend.set(ExcuseTable())
    }

    static let groupRoot: String? = {
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        let unified = mounts.split(separator: "\n").first { $0.contains(" cgroup2 ") }
        return unified?.split(separator: " ").dropFirst().first.map(String.init)
    }()

    @Test func stepsTakeAwayFirstAndLeaveTheRest() throws {
        let hash: EvidenceKind = .directCall
        func excuse(_ kind: EvidenceKind) -> Excuse { Excuse(subject: .user("x"), evidence: kind, reason: "r", until: Self.today) }
        var old = ExcuseTable()
        old.add(excuse(hash), for: .user(1))
        old.add(excuse(hash), for: .user(2))
        var new = ExcuseTable()
        new.add(excuse(hash), for: .user(2))
        new.add(excuse(.libraryCall), for: .user(3))
        new.add(excuse(.memoryFile), for: .user(3))
        let steps = ExcuseEntries(new).steps(from: ExcuseEntries(old))
        #expect(steps.map(\.key.first) == [1, 3])
        #expect(steps[0].value == nil)
        #expect(steps[1].value?.kinds == epitope_policy.bits(of: [.libraryCall, .memoryFile]))
        #expect(epitope_policy.kinds(of: epitope_policy.bits(of: Set(EvidenceKind.allCases))) == Set(EvidenceKind.allCases))
    }
}
