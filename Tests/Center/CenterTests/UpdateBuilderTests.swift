// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import SignatureProving
import Signatures
import Testing

@testable import CenterAnalysis

@Suite("The update of a proven signature is built")
struct UpdateBuilderTests {
    private let now: Int64 = 1_700_000_000_000
    private let wider = SignatureContext(transport: .udp, ports: [53, 1434], direction: .toService)

    private var builder: UpdateBuilder { UpdateBuilder(lifetimeDays: 30, nowMilliseconds: now) }
    private var proven: ProvenSignature {
        ProvenSignature(signature: Fixture.signature(attack: 1), proof: Fixture.update(attack: 1).proof)
    }

    private func cluster(_ context: SignatureContext? = nil) -> Cluster {
        var signature = Fixture.signature(attack: 1)
        signature.context = context ?? signature.context
        return Cluster(id: 1, signature: signature)
    }

    private func latest(_ state: UpdateDecision.LatestState, revision: Int, context: SignatureContext? = nil) -> UpdateDecision.Latest {
        var update = Fixture.update(attack: 1, revision: revision)
        if let context { update.signature.context = context }
        return UpdateDecision.Latest(update: update, state: state)
    }

    @Test func `the first update is revision one with the cluster's context and the policy's lifetime`() throws {
        let update = try #require(builder.update(of: proven, in: cluster(wider), after: nil))
        #expect(update.revision == 1)
        #expect(update.signature.context == wider)
        #expect(update.lifetimeDays == 30)
        #expect(update.createdMilliseconds == now)
        #expect(update.origin == .site)
    }

    @Test func `an update in force that still serves gets no revision`() {
        #expect(builder.update(of: proven, in: cluster(), after: latest(.standing, revision: 4)) == nil)
    }

    @Test func `a later revision never looks in fewer places than the one in force`() throws {
        let other = SignatureContext(transport: .udp, ports: [53], direction: .toService)
        let update = try #require(builder.update(of: proven, in: cluster(other), after: latest(.standing, revision: 4)))
        #expect(update.revision == 5)
        #expect(update.signature.context.ports == [53, 1434])
    }

    @Test func `a signature that failed before gets the next revision when it is proven`() {
        #expect(builder.update(of: proven, in: cluster(), after: latest(.unproven, revision: 1))?.revision == 2)
    }

    @Test func `a withdrawn signature gets no update`() {
        #expect(builder.update(of: proven, in: cluster(wider), after: latest(.withdrawn, revision: 1)) == nil)
    }

    @Test func `a failed proof replaces an earlier failure in its revision`() throws {
        let update = try #require(builder.unproven(proven, in: cluster(wider), after: latest(.unproven, revision: 3)))
        #expect(update.revision == 3)
        #expect(update.signature.context == wider)
    }

    @Test(arguments: [UpdateDecision.LatestState.standing, .refused, .expired, .withdrawn])
    func `a failed proof leaves a proven update as it is`(state: UpdateDecision.LatestState) {
        #expect(builder.unproven(proven, in: cluster(), after: latest(state, revision: 1)) == nil)
    }
}
