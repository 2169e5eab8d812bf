// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing

@testable import Correlation

@Suite("A proof is requested when it can bring something new")
struct ProofDecisionTests {
    private let context = SignatureContext(transport: .udp, ports: [1434], direction: .toService)
    private let wider = SignatureContext(transport: .udp, ports: [53, 1434], direction: .toService)
    private let day: Int64 = Duration.days(1).inMilliseconds

    private func latest(_ state: UpdateDecision.LatestState) -> UpdateDecision.Latest {
        let signature = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: context)
        return UpdateDecision.Latest(
            update: SignatureUpdate(
                signature: signature, revision: 1, origin: .site, createdMilliseconds: 0, lifetimeDays: 90,
                proof: Proof(checks: [])),
            state: state)
    }

    private func decide(
        _ progress: ProofDecision.Progress, _ states: [UpdateDecision.LatestState] = [], context: SignatureContext? = nil,
        newest: [UInt8]? = nil, packets: Int = 1, now: Int64 = 0, newReporter: Int? = nil, own: Int = 0
    ) -> ProofDecision {
        ProofDecision(
            progress: progress, latest: states.map(latest), context: context ?? self.context, newest: newest,
            nowMilliseconds: now, newReporter: newReporter, ownPackets: { own }, packets: { packets })
    }

    @Test func `a cluster that never had a proof gets one`() {
        #expect(decide(.never) == .due(.first))
    }

    @Test func `a requested proof is not requested again`() {
        #expect(decide(.pending, [.standing], context: wider, newest: [1, 2, 3], packets: 100, now: 80 * day) == .notDue)
    }

    @Test func `an update in force that matches the newest packet is left alone`() {
        #expect(decide(.made(packets: 1), [.standing], newest: Samples.code.bytes, packets: 100) == .notDue)
        #expect(decide(.made(packets: 1), [.standing], newest: nil, packets: 100) == .notDue)
    }

    @Test func `a packet that no update in force matches is due`() {
        #expect(decide(.made(packets: 1), [.standing], newest: [1, 2, 3]) == .due(.missedPacket))
    }

    @Test func `a wider context and half a lifetime are due for a revision`() {
        #expect(decide(.made(packets: 1), [.standing], context: wider) == .due(.renewal))
        #expect(decide(.made(packets: 1), [.standing], now: 45 * day + 1) == .due(.renewal))
    }

    @Test func `an expired update is renewed only when no other is in force`() {
        #expect(decide(.made(packets: 1), [.expired]) == .due(.renewal))
        #expect(decide(.made(packets: 1), [.expired, .standing], newest: Samples.code.bytes) == .notDue)
    }

    @Test func `a cluster without an update is tried again when it has grown`() {
        #expect(decide(.made(packets: 1), [.unproven], packets: 1) == .notDue)
        #expect(decide(.made(packets: 1), [.unproven], packets: 2) == .due(.growth))
        #expect(decide(.made(packets: 2), [.unproven], packets: 4) == .notDue)
    }

    @Test func `one reporter's packets put no other's attempt off`() {
        let flooded = ProofDecision.Progress.made(packets: 60)
        #expect(decide(flooded, [.unproven], newest: [1], packets: 61) == .notDue)
        #expect(decide(flooded, [.unproven], newest: [1], packets: 61, newReporter: 2, own: 1) == .due(.growth))
        #expect(decide(flooded, [.unproven], newest: nil, packets: 61, newReporter: 2) == .due(.growth), "also with a signature alone")
        // One that was known: at each size that its own packets reach.
        let due = (1...10).filter { decide(flooded, [.unproven], newest: [1], packets: 61, own: $0) == .due(.growth) }
        #expect(due == [1, 2, 5, 10])
        #expect(decide(flooded, [.standing], newest: Samples.code.bytes, packets: 61, newReporter: 2, own: 1) == .notDue)
    }

    @Test func `attempts grow with the logarithm of the reporters, too`() {
        let due = (2...1000).count { decide(.made(packets: 60), [.unproven], newest: [1], packets: 61, newReporter: $0) != .notDue }
        #expect(due == 15 + 6, "2 to 16, and 20, 50, 100, 200, 500, 1000")
    }

    @Test func `who joined while an attempt was made has the next one`() {
        func size(_ packets: Int, _ reporters: Int, _ own: [String: Int] = [:]) -> ProofDecision.Size {
            ProofDecision.Size(packets: packets, reporters: reporters, ofReporter: own)
        }
        #expect(!ProofDecision.isGrown(from: size(60, 1), to: size(61, 1)))
        #expect(ProofDecision.isGrown(from: size(60, 1), to: size(100, 1)))
        #expect(ProofDecision.isGrown(from: size(60, 1), to: size(61, 2)))
        #expect(!ProofDecision.isGrown(from: size(60, 17), to: size(61, 19)))
        #expect(ProofDecision.isGrown(from: size(60, 17), to: size(63, 20)))
        #expect(ProofDecision.isGrown(from: size(60, 2, ["a": 59, "b": 1]), to: size(61, 2, ["a": 59, "b": 2])))
        #expect(!ProofDecision.isGrown(from: size(60, 2, ["a": 57, "b": 3]), to: size(61, 2, ["a": 57, "b": 4])))
        #expect(!ProofDecision.isGrown(from: size(60, 40, ["b": 1]), to: size(61, 40, ["b": 2])), "so many are not told apart")
    }

    @Test func `attempts grow with the logarithm of the packets`() {
        #expect([0, 1, 2, 4, 5, 9, 10, 19, 20, 49, 50, 100].map(ProofDecision.growthStep) == [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7])
    }
}
