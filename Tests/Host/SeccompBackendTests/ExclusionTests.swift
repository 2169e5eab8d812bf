// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import SeccompBackend
import TestSupport
import Testing

/// Exclusions under `epitope run`, and what a running process is told to be held for.
@Suite struct ExclusionTests {
    @Test func `an excluded call goes on unreported`() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", ["library", "anonymous", "send", String(receiver.port)], excluded: [.libraryCall])
        #expect(run.detections.isEmpty)
        #expect(run.announcement.errno == 0)
        #expect(receiver.arrivals(datagrams: true) == 1)
    }

    @Test func `another kind is still denied`() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", ["direct", "anonymous", "send", String(receiver.port)], excluded: [.libraryCall])
        #expect(run.detections.first?.evidence.map(\.kind) == [.directCall])
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test(arguments: ["datagram", "direct"]) func `code that sends itself is not excluded with the call`(_ form: String) async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", [form, "anonymous", form == "direct" ? "send-copy" : "send", String(receiver.port)], excluded: [.directCall])
        #expect(run.detections.first?.evidence.map(\.kind) == [.sendsItself])
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    /// Who poses as an excluded program is excluded from nothing.
    @Test func `a process can't put another file in the place of its program`() async throws {
        let program = try await OwnCodeProgram()
        let alone = try await Command.run(program.path, ["posed", "/bin/true"])
        try #require(alone.output.hasPrefix("posed\n"), "this kernel lets nobody pose: \(alone.output)\(alone.errors)")
        #expect(alone.output.hasSuffix("connected\n"))
        let run = try await ProtectedRun.command(program.path, ["posed", "/bin/true"])
        #expect(!run.output.contains("posed") && run.output.hasSuffix("refused \(EPERM)\n"), "\(run.output)")
        #expect(run.detections.first?.evidence.first?.kind == .libraryCall)
    }

    @Test func `a running process shows what evidence could come from`() async throws {
        let page = try #require(mmap(nil, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        defer { munmap(page, 8192) }
        let receiver = Receiver(datagrams: false)
        _ = fcntl(receiver.descriptor, F_SETFL, 0)
        let waiting = Thread { close(accept(receiver.descriptor, nil, nil)) }
        waiting.start()
        defer { shutdown(receiver.descriptor, Int32(SHUT_RDWR)) }
        var call: LiveInspection.WaitingCall?
        for _ in 0..<200 where call == nil {
            let inspection = try LiveInspection(of: getpid())
            #expect(inspection.findings.contains { $0.region.start == UInt64(UInt(bitPattern: page)) && $0.region.backing == .anonymous })
            call = inspection.waiting.first { $0.call == .accept }
            if call == nil { try await Task.sleep(for: .milliseconds(10)) }
        }
        let observation = try #require(call).observation
        #expect(observation.map { Policy.default.judge($0).isReported } != true)
    }

    @Test func `a process that is not there is said to be`() {
        let error = #expect(throws: EpitopeError.self) { try LiveInspection(of: 99_999_999) }
        #expect(error?.code == .processNotInspectable)
        #expect(error?.message == "there is no process 99999999")
    }
}
