// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import SeccompBackend
import TestSupport
import Testing

@Suite struct BlockingTests {
    @Test func codeThatSendsTheMemoryItRunsInIsHeldToSendItself() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", ["datagram", "stack", "-", String(receiver.port)])
        let call = try #require(run.calls.first)
        #expect(call.evidence.map(\.kind) == [.directCall, .sendsItself])
        #expect(call.action == .blocked)
        #expect(call.callersAddress == run.announcement.callersAddress)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test(arguments: ["direct", "library"]) func codeThatSendsACopyOfItselfIsHeldToSendItself(form: String) async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", [form, "memory-file", "send-copy", String(receiver.port)])
        let call = try #require(run.calls.first)
        #expect(call.evidence.map(\.kind) == [.sendsItself, .memoryFile])
        #expect(call.action == .blocked)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test(arguments: ["exec", "connect", "send"]) func thirtyTwoBitCallOf64BitCodeIsBlocked(call name: String) async throws {
        let receiver = Receiver(datagrams: name == "send")
        let run = try await ProtectedRun.fixture("call-stub", ["int80", "low", name, String(receiver.port)])
        let call = try #require(run.calls.first, "output: \(run.output)")
        #expect(call.evidence.first?.kind == .directCall)
        #expect(call.architecture == .x86_64)
        #expect(call.callersAddress == run.announcement.callersAddress)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: name == "send") == 0)
    }

    @Test(arguments: StubCase.forms, ["exec", "connect", "send"])
    func callOfASecondThreadIsBlocked(form: String, call name: String) async throws {
        let receiver = Receiver(datagrams: name == "send")
        let run = try await ProtectedRun.fixture(
            "call-stub", [form, "stack", name, String(receiver.port), "thread"])
        let call = try #require(run.calls.first, "output: \(run.output)")
        #expect(call.evidence.first?.kind == (form == "direct" ? .directCall : .libraryCall))
        #expect(call.callersAddress == run.announcement.callersAddress)
        #expect(call.process.processID != call.process.threadID)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: name == "send") == 0)
    }

    @Test(arguments: ["anonymous", "heap", "written-page"], ["connect", "send", "sendmsg", "sendmmsg", "accept"])
    func staleReturnAddressesDoNotHideTheCaller(place: String, call name: String) async throws {
        let receiver = Receiver(datagrams: name.hasPrefix("send"))
        let run = try await ProtectedRun.fixture(
            "call-stub", ["library", place, name, String(receiver.port), "stale"])
        let call = try #require(run.calls.first, "output: \(run.output)")
        #expect(call.evidence.first?.kind == (place == "written-page" ? .writtenImagePage : .libraryCall))
        #expect(call.callersAddress == run.announcement.callersAddress)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: name.hasPrefix("send")) == 0)
    }

    @Test(arguments: [[], ["thread"], ["stale"]]) func shellThatALibraryStartsForUnbackedCodeIsBlocked(_ more: [String]) async throws {
        let run = try await ProtectedRun.fixture("call-stub", ["library", "anonymous", "system", "0"] + more)
        let call = try #require(run.calls.first, "output: \(run.output)")
        #expect(call.call == .execve)
        #expect(call.arguments.path == "/bin/sh")
        #expect(call.evidence.first?.kind == .libraryCall)
        #expect(call.callersAddress == run.announcement.callersAddress)
        #expect(call.action == .blocked)
    }

    @Test(arguments: StubCase.forms) func aProgramThatAnUpgradeReplacedIsAnImageStill(form: String) async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", [form, "deleted-image", "send", String(receiver.port)])
        #expect(run.calls == [])
        #expect(receiver.arrivals(datagrams: true) == 1)
    }

    @Test func largeRegionGivesASnippetAroundTheCaller() async throws {
        let run = try await ProtectedRun.fixture("call-stub", ["direct", "large", "connect", "9"])
        let call = try #require(run.calls.first)
        #expect(call.region.end - call.region.start == 16 * 4096)
        #expect(!call.code.isWholeRegion)
        #expect(call.code.bytes.count == 8192)
        #expect(call.code.base == call.callersAddress - 4096)
        #expect(call.callersAddress == run.announcement.callersAddress)
    }

    @Test func killedProcessDiesByTheSignalAndSendsNothing() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", ["direct", "anonymous", "send", String(receiver.port)], policy: Policy(action: .kill))
        #expect(run.status == .signalled(SIGKILL))
        #expect(run.status.shellCode == 137)
        #expect(run.calls.first?.action == .killed)
        #expect(run.announcement.result == nil)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test func watchedCallGoesOnAndIsReported() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", ["direct", "anonymous", "send", String(receiver.port)], policy: Policy(action: .watch))
        #expect(run.status == .exited(0))
        #expect(run.calls.first?.action == .watched)
        #expect(run.calls.first?.evidence.first?.kind == .directCall)
        #expect(receiver.arrivals(datagrams: true) == 1)
    }

    @Test func stoppedProcessStaysUntilItIsContinued() async throws {
        let receiver = Receiver(datagrams: true)
        let output = Output()
        let backend = try SeccompBackend.launch(
            Command(
                Fixtures.path("call-stub"), ["direct", "anonymous", "send", String(receiver.port)],
                standardOutput: output.descriptor),
            policy: Policy(action: .stop))
        var reports = backend.stalledCalls.makeAsyncIterator()
        #expect(await reports.next()?.action == .stopped)
        var information = siginfo_t()
        #expect(waitid(P_PID, id_t(backend.processID), &information, WSTOPPED | WNOWAIT) == 0)
        #expect(information._sifields._sigchld.si_status == SIGSTOP)
        #expect(!output.text.contains("result"))
        kill(backend.processID, SIGCONT)
        #expect(await backend.exitStatus() == .exited(0))
        #expect(Announcement(output.text).errno == EPERM)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test(arguments: ["anonymous", "stack", "written-page"]) func cutCodeIsGoneFromTheProcess(place: String) async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", ["direct", place, "send", String(receiver.port)], extraction: .cut)
        let call = try #require(run.calls.first)
        let announced = run.announcement
        let base = try #require(announced.base)
        let offset = try #require(call.code.offset(of: base))
        #expect(Array(call.code.bytes[offset...].prefix(announced.code.count)) == announced.code)
        // What it came back to was a breakpoint instruction.
        #expect(run.status == .signalled(SIGTRAP))
        #expect(run.statistics.cutFailed == 0)
        #expect(announced.result == nil)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test func childrenOfChildrenAreProtected() async throws {
        let receiver = Receiver(datagrams: true)
        let stub = "\(Fixtures.path("call-stub")) library heap send \(receiver.port)"
        let run = try await ProtectedRun.command("sh", ["-c", "sh -c '\(stub); exit 3'; exit $?"])
        #expect(run.status == .exited(3))
        #expect(run.calls.map(\.action) == [.blocked])
        #expect(run.calls.first?.callersAddress == run.announcement.callersAddress)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test func callRepeatedInALoopIsDeniedEachTimeAndReportedAFewTimes() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", ["repeat", "500", String(receiver.port)])
        #expect(run.output == "denied 500\n")
        #expect((1...6).contains(run.calls.count))
        #expect(run.statistics.denied == 500)
        #expect(run.statistics.suppressed == 500 - UInt64(run.calls.count))
        #expect(receiver.arrivals(datagrams: true) == 0)
    }
}
