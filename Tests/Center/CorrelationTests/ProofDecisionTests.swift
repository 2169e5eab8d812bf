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
        newest: [UInt8]? = nil, packets: Int = 1, now: Int64 = 0
    ) -> ProofDecision {
        ProofDecision(
            progress: progress, latest: states.map(latest), context: context ?? self.context, newest: newest,
            nowMilliseconds: now, packets: { packets })
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

    @Test func `attempts grow with the logarithm of the packets`() {
        #expect([0, 1, 2, 4, 5, 9, 10, 19, 20, 49, 50, 100].map(ProofDecision.growthStep) == [0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7])
    }
}
