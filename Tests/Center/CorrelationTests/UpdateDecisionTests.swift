// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Signatures
import TestSupport
import Testing

@Suite("A cluster that reached the threshold gets an update when it needs one")
struct UpdateDecisionTests {
    private let context = SignatureContext(transport: .udp, ports: [1434], direction: .toService)
    private let wider = SignatureContext(transport: .udp, ports: [53, 1434], direction: .toService)
    private let day: Int64 = Duration.days(1).inMilliseconds

    private func latest(_ state: UpdateDecision.LatestState, revision: Int = 4) -> UpdateDecision.Latest {
        let signature = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: context)
        return UpdateDecision.Latest(
            update: SignatureUpdate(
                signature: signature, revision: revision, origin: .site, createdMilliseconds: 0, lifetimeDays: 90,
                proof: Proof(checks: [])),
            state: state)
    }

    @Test func `the first is revision one`() {
        #expect(UpdateDecision(latest: nil, context: context, nowMilliseconds: 0) == .make(revision: 1))
    }

    @Test func `an update in force is left alone`() {
        let decision = UpdateDecision(latest: latest(.standing), context: context, nowMilliseconds: 45 * day)
        #expect(decision == .none("stands as revision 4"))
    }

    @Test func `a wider context makes a revision`() {
        #expect(UpdateDecision(latest: latest(.standing), context: wider, nowMilliseconds: 0) == .make(revision: 5))
        #expect(UpdateDecision(latest: latest(.refused), context: wider, nowMilliseconds: 0) == .make(revision: 5))
    }

    @Test func `an attack that continues renews an aged rule`() {
        let decision = UpdateDecision(latest: latest(.standing), context: context, nowMilliseconds: 45 * day + 1)
        #expect(decision == .make(revision: 5))
    }

    @Test func `a signature that was withdrawn or failed its proof gets no update`() {
        for state in [UpdateDecision.LatestState.withdrawn, .unproven, .refused] {
            let decision = UpdateDecision(latest: latest(state), context: context, nowMilliseconds: 400 * day)
            guard case .none = decision else {
                Issue.record("\(state) made an update")
                continue
            }
        }
    }

    @Test func `an expired update is made again`() {
        #expect(UpdateDecision(latest: latest(.expired), context: context, nowMilliseconds: 0) == .make(revision: 5))
    }

    @Test func `huge lifetimes are clamped`() {
        var update = latest(.standing).update
        update.lifetimeDays = .max
        #expect(update.expiresMilliseconds == 3650 * day)
    }
}
