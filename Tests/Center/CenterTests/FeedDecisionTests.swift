// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import Testing

@testable import CenterAnalysis

@Suite("A site decides on an update of the global center")
struct FeedDecisionTests {
    private let now: Int64 = 1_700_000_000_000
    private let day = TestClock.day

    private func decide(
        on update: SignatureUpdate = Fixture.update(attack: 1), withdrawal: String? = nil, atIDS: [SignatureUpdate] = [], now: Int64? = nil
    ) -> FeedDecision {
        FeedDecision(on: update, withdrawal: withdrawal, atIDS: atIDS, nowMilliseconds: now ?? self.now)
    }

    private func global(revision: Int) -> SignatureUpdate {
        var update = Fixture.update(attack: 1, revision: revision)
        update.origin = .global(sequence: Int64(revision))
        return update
    }

    @Test func `a proven update of a signature that is new here is delivered`() {
        #expect(decide() == .deliver)
    }

    @Test func `an update whose proof fails here is not delivered, whatever else holds`() throws {
        var update = Fixture.update(attack: 1)
        update.proof.checks[0].outcome = .failed
        guard case .unproven(let reason) = decide(on: update, withdrawal: "false alarm", now: now + 91 * day) else {
            Issue.record("it counts as proven")
            return
        }
        #expect(reason.hasPrefix(update.proof.checks[0].name.rawValue))
    }

    @Test func `an update past its lifetime is expired`() {
        #expect(decide(now: now + 90 * day - 1) == .deliver)
        #expect(decide(now: now + 90 * day) == .expired)
    }

    @Test func `a signature that a person withdrew stays withdrawn`() {
        #expect(decide(withdrawal: "false alarm") == .withdrawn("false alarm"))
    }

    @Test func `a site's own update in force covers the global center's`() {
        #expect(decide(on: global(revision: 9), atIDS: [Fixture.update(attack: 1, revision: 3)]) == .covered(revision: 3))
    }

    @Test func `an update in force with a narrower context or past its lifetime covers nothing`() {
        var narrow = Fixture.update(attack: 1)
        narrow.signature.context.ports = [53]
        #expect(decide(atIDS: [narrow]) == .deliver)
        #expect(decide(atIDS: [Fixture.update(attack: 1, created: now - 90 * day)]) == .deliver)
    }

    @Test func `the global center's next revision renews its earlier one`() {
        #expect(decide(on: global(revision: 2), atIDS: [global(revision: 1)]) == .deliver)
        #expect(decide(on: global(revision: 1), atIDS: [global(revision: 1)]) == .covered(revision: 1))
    }
}
