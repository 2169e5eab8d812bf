// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection
import SeccompBackend
import TestSupport
import Testing

/// `--extraction cut`: code is gone from its process once its call was denied, wherever it lies; or the report says that it is not.
@Suite struct CutTests {
    /// Memory files are blocked, too.
    private static let policy = Policy(blockAt: 40)
    /// Where code is that the process may write itself, by any mapping.
    static let places = [
        "anonymous", "stack", "heap", "written-page", "shared-anonymous", "segment", "written-by-child", "memory-file", "remapped",
    ]

    @Test(arguments: StubCase.forms, places) func `cut code is gone from the process`(form: String, place: String) async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", [form, place, "send", String(receiver.port)], policy: Self.policy, extraction: .cut)
        let detection = try #require(run.detections.first, "output: \(run.output)")
        let announced = run.announcement
        let base = try #require(announced.base)
        let offset = try #require(detection.code.offset(of: base))
        #expect(Array(detection.code.bytes[offset...].prefix(announced.code.count)) == announced.code)
        // What it came back to was a breakpoint instruction.
        #expect(run.status == .signalled(SIGTRAP))
        #expect(detection.cut == .done)
        #expect(run.statistics.cut >= 1)
        #expect(run.statistics.cutFailed == 0)
        #expect(announced.result == nil)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    /// Others rely on what the process may not write: who makes a call from there must not have it destroyed.
    @Test(arguments: [("shared-read-only", CodeCut.Failure.sharedReadOnly), ("never-named", .file), ("shared-writable", .file)])
    func `what is not the process's own stays, and that is told`(place: String, reason: CodeCut.Failure) async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", ["direct", place, "send", String(receiver.port)], policy: Self.policy, extraction: .cut)
        let detection = try #require(run.detections.first, "output: \(run.output)")
        #expect(detection.cut == .failed(reason))
        #expect(detection.action == .blocked)
        #expect(run.statistics.cutFailed == 1)
        #expect(run.statistics.cut == 0)
        // The call is denied all the same, and its code goes on.
        #expect(run.announcement.errno == EPERM)
        #expect(run.status == .exited(0))
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test func `code that is written anew is cut anew`() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", ["rewrite", "20", String(receiver.port)], extraction: .cut)
        #expect(run.output.hasSuffix("trapped 20 denied 0\n"))
        #expect(run.statistics.cut == 20)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test func `nothing is cut that is only watched, or copied`() async throws {
        for (policy, extraction) in [(Policy(action: .watch), ExtractionSettings.cut), (.default, .copy)] {
            let receiver = Receiver(datagrams: true)
            let run = try await ProtectedRun.fixture(
                "call-stub", ["direct", "anonymous", "send", String(receiver.port)], policy: policy, extraction: extraction)
            #expect(run.detections.first != nil)
            #expect(run.detections.first?.cut == nil)
            #expect(run.status == .exited(0))
            #expect(run.statistics.cut == 0)
        }
    }

    /// The agent cuts as this does: from outside, a process that has stopped.
    @Test(arguments: places) func `code of a stopped process is overwritten from outside`(place: String) async throws {
        let program = try RunningProcess([Fixtures.path("call-stub"), "direct", place, "pause", "9"])
        let announced = Announcement(try await program.line(with: "expected"))
        let base = try #require(announced.base)
        let process = program.identifier
        program.send(SIGSTOP)
        while ProcessStatistics(of: process)?.state != "T" { try await Task.sleep(for: .milliseconds(1)) }
        let maps = MapEntry.entries(inMaps: try #require(ProcFS.text("/proc/\(process)/maps")))
        let entry = try #require(maps.first { $0.contains(base) })
        let region = MemoryRegion(start: entry.start, end: entry.end, protection: entry.protection, backing: .anonymous)
        #expect(CodeCutter(process: process).overwrite(base, announced.code.count, in: region, with: 0xCC) == .done)
        try await program.end(SIGKILL)
        #expect(CodeCutter(process: process).overwrite(base, 1, in: region, with: 0xCC) == .failed(.ended))
    }

    @Test func `outcomes are named in logs`() {
        let all = [CodeCut.done] + CodeCut.Failure.allCases.map { .failed($0) }
        #expect(all.map { CodeCut(name: $0.name) } == all)
        #expect(CodeCut(name: "failed: shared-read-only") == .failed(.sharedReadOnly))
        #expect(CodeCut(name: "failed: ") == nil)
        #expect(CodeCut(name: "perhaps") == nil)
    }
}
