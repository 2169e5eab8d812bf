// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import SeccompBackend
import TestSupport
import Testing

@Suite struct BlockingTests {
    @Test func `code that sends the memory it runs in is held to send itself`() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", ["datagram", "stack", "-", String(receiver.port)])
        let detection = try #require(run.detections.first)
        #expect(detection.evidence.map(\.kind) == [.directCall, .sendsItself])
        #expect(detection.action == .blocked)
        #expect(detection.callersAddress == run.announcement.callersAddress)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test(arguments: ["direct", "library"]) func `code that sends a copy of itself is held to send itself`(form: String) async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", [form, "memory-file", "send-copy", String(receiver.port)])
        let detection = try #require(run.detections.first)
        #expect(detection.evidence.map(\.kind) == [.sendsItself, .memoryFile])
        #expect(detection.action == .blocked)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test(arguments: ["exec", "connect", "send"]) func `thirty two bit call of 64 bit code is blocked`(call name: String) async throws {
        let receiver = Receiver(datagrams: name == "send")
        let run = try await ProtectedRun.fixture("call-stub", ["int80", "low", name, String(receiver.port)])
        let detection = try #require(run.detections.first, "output: \(run.output)")
        #expect(detection.evidence.first?.kind == .directCall)
        #expect(detection.architecture == .x86_64)
        #expect(detection.callersAddress == run.announcement.callersAddress)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: name == "send") == 0)
    }

    @Test(arguments: StubCase.forms, ["exec", "connect", "send"])
    func `call of a second thread is blocked`(form: String, call name: String) async throws {
        let receiver = Receiver(datagrams: name == "send")
        let run = try await ProtectedRun.fixture(
            "call-stub", [form, "stack", name, String(receiver.port), "thread"])
        let detection = try #require(run.detections.first, "output: \(run.output)")
        #expect(detection.evidence.first?.kind == (form == "direct" ? .directCall : .libraryCall))
        #expect(detection.callersAddress == run.announcement.callersAddress)
        #expect(detection.process.processID != detection.process.threadID)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: name == "send") == 0)
    }

    @Test(arguments: ["anonymous", "heap", "written-page"], ["connect", "send", "sendmsg", "sendmmsg", "accept"])
    func `stale return addresses do not hide the caller`(place: String, call name: String) async throws {
        let receiver = Receiver(datagrams: name.hasPrefix("send"))
        let run = try await ProtectedRun.fixture(
            "call-stub", ["library", place, name, String(receiver.port), "stale"])
        let detection = try #require(run.detections.first, "output: \(run.output)")
        #expect(detection.evidence.first?.kind == (place == "written-page" ? .writtenImagePage : .libraryCall))
        #expect(detection.callersAddress == run.announcement.callersAddress)
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: name.hasPrefix("send")) == 0)
    }

    @Test(arguments: [[], ["thread"], ["stale"]]) func `shell that a library starts for unbacked code is blocked`(_ more: [String])
        async throws
    {
        let run = try await ProtectedRun.fixture("call-stub", ["library", "anonymous", "system", "0"] + more)
        let detection = try #require(run.detections.first, "output: \(run.output)")
        #expect(detection.call == .execve)
        #expect(detection.arguments.path == "/bin/sh")
        #expect(detection.evidence.first?.kind == .libraryCall)
        #expect(detection.callersAddress == run.announcement.callersAddress)
        #expect(detection.action == .blocked)
    }

    @Test func `a program that an upgrade replaced is an image still`() async throws {
        let folder = try TemporaryFolder()
        let program = "\(folder.path)/call-stub"
        try FileManager.default.copyItem(atPath: Fixtures.path("call-stub"), toPath: program)
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.command(program, ["replaced", "20", String(receiver.port)])
        #expect(run.status == .exited(0))
        #expect(run.detections == [])
        #expect(receiver.arrivals(datagrams: true) == 20)
    }

    @Test(arguments: StubCase.forms, StubCase.writtenFiles)
    func `a file that the process can change backs nothing`(_ form: String, _ place: String) async throws {
        for call in ["connect", "send", "exec"] {
            let test = StubCase(form: form, place: place, call: call)
            let receiver = Receiver(datagrams: test.sendsDatagrams)
            let run = try await ProtectedRun.fixture("call-stub", test.arguments(port: receiver.port))
            let detection = try #require(run.detections.first, "\(test): no report; output: \(run.output)")
            #expect(detection.evidence.first?.kind == test.kind, "\(test)")
            #expect(detection.callersAddress == run.announcement.callersAddress)
            #expect(detection.action == (test.isWrittenFile ? .blocked : .watched), "\(test)")
            if test.isWrittenFile {
                #expect(run.announcement.errno == EPERM)
                #expect(receiver.arrivals(datagrams: test.sendsDatagrams) == 0)
            }
        }
    }

    @Test func `large region gives a snippet around the caller`() async throws {
        let run = try await ProtectedRun.fixture("call-stub", ["direct", "large", "connect", "9"])
        let detection = try #require(run.detections.first)
        #expect(detection.region.end - detection.region.start == 16 * 4096)
        #expect(!detection.code.isWholeRegion)
        #expect(detection.code.bytes.count == 8192)
        #expect(detection.code.base == detection.callersAddress - 4096)
        #expect(detection.callersAddress == run.announcement.callersAddress)
    }

    @Test func `killed process dies by the signal and sends nothing`() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", ["direct", "anonymous", "send", String(receiver.port)], policy: Policy(action: .kill))
        #expect(run.status == .signalled(SIGKILL))
        #expect(run.status.shellCode == 137)
        #expect(run.detections.first?.action == .killed)
        #expect(run.announcement.result == nil)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test func `watched call goes on and is reported`() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture(
            "call-stub", ["direct", "anonymous", "send", String(receiver.port)], policy: Policy(action: .watch))
        #expect(run.status == .exited(0))
        #expect(run.detections.first?.action == .watched)
        #expect(run.detections.first?.evidence.first?.kind == .directCall)
        #expect(receiver.arrivals(datagrams: true) == 1)
    }

    @Test func `stopped process stays until it is continued`() async throws {
        let receiver = Receiver(datagrams: true)
        let output = Output()
        let backend = try SeccompBackend.launch(
            Command(
                Fixtures.path("call-stub"), ["direct", "anonymous", "send", String(receiver.port)],
                standardOutput: output.descriptor),
            .init(policy: Policy(action: .stop)))
        var reports = backend.detections.makeAsyncIterator()
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

    @Test func `children of children are protected`() async throws {
        let receiver = Receiver(datagrams: true)
        let stub = "\(Fixtures.path("call-stub")) library heap send \(receiver.port)"
        let run = try await ProtectedRun.command("sh", ["-c", "sh -c '\(stub); exit 3'; exit $?"])
        #expect(run.status == .exited(3))
        #expect(run.detections.map(\.action) == [.blocked])
        #expect(run.detections.first?.callersAddress == run.announcement.callersAddress)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    @Test func `call repeated in a loop is denied each time and reported a few times`() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", ["repeat", "500", String(receiver.port)])
        #expect(run.output == "denied 500\n")
        #expect((1...6).contains(run.detections.count))
        #expect(run.statistics.denied == 500)
        #expect(run.statistics.suppressed == 500 - UInt64(run.detections.count))
        #expect(receiver.arrivals(datagrams: true) == 0)
    }
}
