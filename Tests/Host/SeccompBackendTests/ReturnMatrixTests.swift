// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import TestSupport
import Testing

@testable import SeccompBackend

/// Every way of entering the library with a return address of one's choice, with each call: what is held of it, and that
/// nothing of a blocked one gets out. One at a time: there are many, and other suites of this target wait for threads.
@Suite(.serialized) struct ReturnMatrixTests {
    @Test(arguments: ReturnCase.all(calls: ["connect", "sendto", "sendmsg", "execve"]))
    func `call with a return address of the caller's choice`(_ test: ReturnCase) async throws {
        try await check(test, benignCalls: 0)
    }

    /// The same of a program whose image has made the call often: its path is known by then.
    @Test(arguments: ReturnCase.all(calls: ["connect", "sendto", "sendmsg"]).filter { $0.call != "execve" && $0.call != "listen" })
    func `call after benign ones with a return address of the caller's choice`(_ test: ReturnCase) async throws {
        try await check(test, benignCalls: KnownPaths.firstKept + 5)
    }

    private func check(_ test: ReturnCase, benignCalls: Int) async throws {
        let receiver = Receiver(datagrams: test.sendsDatagrams)
        let run = try await ProtectedRun.fixture(
            "return-stub", test.arguments(port: receiver.port) + (benignCalls > 0 ? [String(benignCalls)] : []))
        let announced = run.announcement
        let about = Comment(rawValue: "output: \(run.output), found: \(run.detections.map { "\($0.call) \($0.evidence)" })")

        switch test.outcome {
        case .blocked(let kind):
            let detection = try #require(run.detections.first, about)
            #expect(detection.call == test.critical, about)
            let found = try #require(detection.evidence.first?.kind, about)
            // Behind a call through a variable stands the code that had it made.
            #expect(found == kind || ((test.hasTwoThreads || test.way == "plant-memory") && found == .libraryCall), about)
            #expect(detection.action == .blocked)
            #expect(run.statistics.denied == 1)
            #expect(receiver.arrivals(datagrams: test.sendsDatagrams) == 0)
            if kind.isOfCode { #expect(detection.region.contains(try #require(announced.base)), about) }
            if ReturnCase.unbacked.contains(test.way) { #expect(detection.callersAddress == announced.callersAddress, about) }
            // One that returns to no code ends by that; one of a callback's shows no result.
            if ReturnCase.unbacked.contains(test.way) || test.way == "chain" || test.way.hasPrefix("plant") {
                #expect(announced.errno == EPERM, about)
            }
        case .reported(let kind):
            let detection = try #require(run.detections.first, about)
            let found = try #require(detection.evidence.first?.kind, about)
            #expect(found == kind || (test.hasTwoThreads && found == .libraryCall), about)
            #expect(detection.action == (found == kind ? .watched : .blocked), about)
        case .unseen:
            #expect(run.detections == [], about)
            if test.call != "execve" { #expect(receiver.arrivals(datagrams: test.sendsDatagrams) == 1, "as the threat model says") }
        }
        #expect(run.statistics.uninspectable == 0)
    }

    /// The stack's memory is never filled in. The call waits for a second, nobody else does.
    @Test(.timeLimit(.minutes(1))) func `memory that never answers holds up nobody else`() async throws {
        let receiver = Receiver(datagrams: false)
        let other = Receiver(datagrams: true)
        let (silent, stub) = (Fixtures.path("return-stub"), Fixtures.path("call-stub"))
        let run = try await ProtectedRun.command(
            "sh", ["-c", "\(silent) silent-memory connect \(receiver.port) & \(stub) bench 100 \(other.port); wait"])
        #expect(run.announcement.errno == EPERM, "output: \(run.output)")
        #expect(receiver.arrivals(datagrams: false) == 0)
        #expect(other.arrivals(datagrams: true) == 100)
        #expect(run.statistics.abandoned == 1)
        #expect(run.statistics.uninspectable == 1)
        #expect(run.notices.count == 1)
    }

    @Test(.timeLimit(.minutes(1))) func `memory that never answers may be let through by policy`() async throws {
        let receiver = Receiver(datagrams: false)
        let run = try await ProtectedRun.fixture(
            "return-stub", ["silent-memory", "connect", String(receiver.port)], policy: Policy(uninspectable: .allow))
        #expect(run.announcement.errno == 0)
        #expect(receiver.arrivals(datagrams: false) == 1)
    }
}
