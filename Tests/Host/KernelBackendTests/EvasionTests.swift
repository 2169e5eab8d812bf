// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import KernelBackend
import KernelWatch
import TestSupport
import Testing

/// Evasion attempts: unusual ways to get executable memory, to make a call, and to start a process. The tracepoint reports them and
/// lets them continue; `DenyingLevelTests` checks that they are denied.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct EvasionTests {
    /// Runs a case and returns its report, compared with what the program prints about itself.
    private func report(_ test: StubCase, program: String = Fixtures.path("call-stub"), port: UInt16) async throws -> Detection {
        let watch = try #require(Watch.shared)
        let run = try await Command.run(program, test.arguments(port: port), environment: Fixtures.environment)
        let announced = Announcement(run.output)
        let address = try #require(announced.callersAddress, "output: \(run.output) \(run.errors)")
        let call = try #require(
            await watch.calls(from: address).first, "no report of \(test): \(watch.backend.statistics); output: \(run.output)")
        #expect(call.call == test.critical)
        // A page that was filled in lies in a file that is new and raw: that is told where the page can't be.
        let isToldByFile = test.place == "filled" && !Kernel.readsPageTables
        #expect(call.evidence.first?.kind == (isToldByFile ? .writtenFile : test.kind))
        let base = try #require(announced.base)
        let offset = try #require(call.code.offset(of: base))
        #expect(Array(call.code.bytes[offset...].prefix(announced.code.count)) == announced.code)
        if !StubCase.starts.contains(test.call) { #expect(call.process.processID == announced.processID) }
        return call
    }

    @Test(arguments: StubCase.forms, StubCase.rarePlaces) func `memory that is easily overlooked`(_ form: String, _ place: String)
        async throws
    {
        let receiver = Receiver(datagrams: true)
        _ = try await report(StubCase(form: form, place: place, call: "send"), port: receiver.port)
        #expect(receiver.arrivals(datagrams: true) == 1, "it was watched only")
    }

    /// The kernel backs them by a file that nobody has.
    @Test(.enabled(if: HugePages.isPossible, "needs root, and a kernel with huge pages"), arguments: StubCase.forms)
    func `memory of huge pages`(_ form: String) async throws {
        let pages = try HugePages()
        let receiver = Receiver(datagrams: true)
        let call = try await report(StubCase(form: form, place: "huge-page", call: "send"), port: receiver.port)
        #expect(call.region.backing == .anonymous)
        withExtendedLifetime(pages) {}
    }

    @Test(arguments: StubCase.forms) func `stack that is executable from the start`(_ form: String) async throws {
        let folder = try TemporaryFolder()
        let program = try ExecutableStackProgram(of: Fixtures.path("call-stub"), at: "\(folder.path)/call-stub")
        let receiver = Receiver(datagrams: true)
        let call = try await report(StubCase(form: form, place: "bare-stack", call: "send"), program: program.path, port: receiver.port)
        #expect(call.region.backing == .stack)
    }

    @Test(arguments: StubCase.forms, ["pwritev2", "submit"] + StubCase.rings) func `calls by other numbers`(_ form: String, _ name: String)
        async throws
    {
        let test = StubCase(form: form, place: "anonymous", call: name)
        let receiver = Receiver(datagrams: test.sendsDatagrams)
        let call = try await report(test, port: receiver.port)
        #expect(receiver.arrivals(datagrams: test.sendsDatagrams) == 1, "it was watched only")
        if name == "pwritev2" { #expect(call.arguments.peer == SocketEndpoint(address: "127.0.0.1", port: receiver.port)) }
    }

    @Test(arguments: StubCase.forms, StubCase.modes) func `processes of any kind`(_ form: String, _ mode: String) async throws {
        for call in ["send", "exec"] {
            let receiver = Receiver(datagrams: true)
            _ = try await report(StubCase(form: form, place: "anonymous", call: call, mode: mode), port: receiver.port)
        }
    }

    @Test(arguments: StubCase.starts) func `programs that a library starts`(_ name: String) async throws {
        let call = try await report(StubCase(form: "library", place: "anonymous", call: name), port: 9)
        #expect(call.arguments.path == (name == "spawn" ? "/bin/true" : "/bin/sh"))
    }

    @Test(arguments: StubCase.forms, ["sendmsg-copy", "sendmmsg-copy", "sendmmsg-self"]) func `code in later pieces and messages`(
        _ form: String, _ name: String
    ) async throws {
        let receiver = Receiver(datagrams: true)
        let call = try await report(StubCase(form: form, place: "anonymous", call: name), port: receiver.port)
        #expect(call.evidence.contains { $0.kind == .sendsItself })
        #expect(call.arguments.peer == SocketEndpoint(address: "127.0.0.1", port: receiver.port))
        let length = form == "direct" ? 26 : 36
        let messages = name == "sendmsg-copy" ? 0 : name == "sendmmsg-copy" ? 1 : 39
        #expect(call.arguments.payloadLength == UInt64(messages * 5 + 2 + 2 + length))
    }

    /// The program's own image creates and fills the ring, so that no unbacked code is known to have submitted the request.
    @Test func `what a thread of the kernels takes by itself is counted`() async throws {
        let backend = try await KernelBackend.another(Policy(action: .watch, reportAt: 10))
        defer { backend.stop() }
        let receiver = Receiver(datagrams: true)
        let run = try await Fixtures.run("call-stub", ["direct", "anonymous", "ring-poll", String(receiver.port)])
        #expect(receiver.arrivals(datagrams: true) == 1, "output: \(run.output)")
        #expect(backend.statistics.unattributable > 0)
        let isNoticed = Task {
            for await notice in backend.notices {
                if case .unattributable(.ioUringEnter, run.processID, _, false) = notice { return true }
            }
            return false
        }
        try await Task.sleep(for: .milliseconds(200))
        backend.stop()
        #expect(await isNoticed.value)
    }

    /// Two threads map and unmap without a pause; each call has its own caller's address.
    @Test func `every call of a busy address space is reported or noticed`() async throws {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: true)
        let count = 100
        let run = try await Fixtures.run("call-stub", ["churn", String(count), String(receiver.port)])
        let first = try #require(Announcement(run.output).callersAddress)
        let wanted = Set((0..<UInt64(count)).map { first + 64 * $0 })
        let found = await watch.calls(of: run.processID, atLeast: count, milliseconds: 2000)
        let addresses = Set(found.map(\.callersAddress))
        #expect(addresses.isSubset(of: wanted))
        let notices = watch.notices(of: run.processID)
        #expect(addresses.count + notices.count == count, "\(addresses.count) reported, \(notices.count) noticed as uninspectable")
        #expect(found.allSatisfy { $0.evidence.first?.kind == .directCall })
    }
}
