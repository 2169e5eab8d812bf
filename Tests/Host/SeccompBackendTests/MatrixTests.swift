// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import SeccompBackend
import TestSupport
import Testing

/// Calls from every kind of unbacked memory: what is held of them, and that nothing of a blocked one gets out.
@Suite struct MatrixTests {
    @Test(arguments: StubCase.all()) func `call from unbacked memory`(_ test: StubCase) async throws {
        let datagrams = test.call.hasPrefix("send")
        let receiver = Receiver(datagrams: datagrams)
        let run = try await ProtectedRun.fixture(
            "call-stub", [test.form, test.place, test.call, String(receiver.port)])
        let announced = run.announcement

        let detection = try #require(run.detections.first, "no report; output: \(run.output)")
        #expect(run.detections.count == 1)
        #expect(detection.call == test.critical)
        #expect(detection.architecture == .x86_64)
        #expect(detection.callersAddress == announced.callersAddress)
        #expect(detection.evidence.first?.kind == test.kind)
        #expect(detection.action == (test.isMemoryFile ? .watched : .blocked))

        // The code bytes, where they lay.
        let base = try #require(announced.base)
        let offset = try #require(detection.code.offset(of: base))
        #expect(Array(detection.code.bytes[offset...].prefix(announced.code.count)) == announced.code)
        #expect(detection.region.contains(base))
        #expect(Self.backing(of: test.place, detection.region.backing))

        if test.isMemoryFile {
            if test.worksUnblocked { #expect(run.status == .exited(0)) }
            if test.call == "exec" { #expect(announced.result == nil, "true ran instead") }
            if test.call == "send" || test.call == "connect" {
                #expect(receiver.arrivals(datagrams: datagrams) == 1)
            }
        } else {
            #expect(announced.errno == EPERM)
            #expect(receiver.arrivals(datagrams: datagrams) == 0)
            #expect(run.statistics.denied == 1)
        }
        #expect(run.statistics.dropped == 0 && run.statistics.uninspectable == 0)
        Self.expectArguments(of: test, detection, port: receiver.port)
    }

    @Test(arguments: StubCase.forms, StubCase.rarePlaces) func `memory that is easily overlooked`(_ form: String, _ place: String)
        async throws
    {
        let test = StubCase(form: form, place: place, call: "send")
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", test.arguments(port: receiver.port))
        let detection = try #require(run.detections.first, "no report; output: \(run.output)")
        // A page that was filled in lies in a file that is new and raw.
        #expect(detection.evidence.first?.kind == (place == "filled" ? .writtenFile : test.kind))
        #expect(detection.callersAddress == run.announcement.callersAddress)
        #expect(detection.action == (test.isMemoryFile ? .watched : .blocked))
        #expect(receiver.arrivals(datagrams: true) == (test.isMemoryFile ? 1 : 0))
    }

    /// What is put into a ring is sent by calls that nobody is notified of, or by the kernel itself: unbacked code makes none.
    @Test(arguments: StubCase.forms) func `ring that unbacked code makes`(_ form: String) async throws {
        let test = StubCase(form: form, place: "anonymous", call: "ring-setup")
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", test.arguments(port: receiver.port))
        let detection = try #require(run.detections.first, "no report; output: \(run.output)")
        #expect(detection.call == .ioUringEnter && detection.evidence.first?.kind == test.kind && detection.action == .blocked)
        #expect(detection.callersAddress == run.announcement.callersAddress)
        #expect(detection.arguments == CallArguments())
        #expect(run.announcement.errno == EPERM)
        #expect(receiver.arrivals(datagrams: true) == 0)
    }

    /// A ring of the program's own goes on: what unbacked code puts into it is not seen.
    @Test func `ring that the program makes`() async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("call-stub", ["direct", "anonymous", "ring", String(receiver.port)])
        #expect(run.detections.isEmpty)
        #expect(receiver.arrivals(datagrams: true) == 1, "as the documentation says")
    }

    private static func expectArguments(of test: StubCase, _ detection: Detection, port: UInt16) {
        let peer = SocketEndpoint(address: "127.0.0.1", port: port)
        switch test.call {
        case "exec":
            #expect(detection.arguments.path == "/bin/true")
            #expect(detection.arguments.arguments == ["true"])
        case "connect":
            #expect(detection.arguments.peer == peer)
            #expect(detection.arguments.transport == .tcp)
        case "send", "sendmsg", "sendmmsg":
            #expect(detection.arguments.peer == peer)
            #expect(detection.arguments.transport == .udp)
            #expect(detection.arguments.payloadLength == (test.call == "sendmmsg" ? 10 : 5))
        case "bind":
            #expect(detection.arguments.local == SocketEndpoint(address: "127.0.0.1", port: 0))
        default:
            #expect(detection.arguments.transport == .tcp)
        }
    }

    private static func backing(of place: String, _ backing: MemoryBacking) -> Bool {
        switch (place, backing) {
        case ("heap", .heap), ("stack", .stack), ("anonymous", .anonymous), ("shared-anonymous", .anonymous): true
        case ("memory-file", .memoryFile(let name)): name == "/memfd:stub (deleted)"
        case ("unlinked-tmpfs", .memoryFile(let name)): name.hasPrefix("/dev/shm/epitope-")
        case ("written-page", .writtenImagePage(let path)): path.hasSuffix("call-stub")
        default: false
        }
    }
}

extension StubCase {
    /// A memory file's evidence is too weak to block an accept of a socket that isn't listening, which would fail
    /// by itself; the others work.
    fileprivate var worksUnblocked: Bool { call != "accept" && call != "listen" }
}
