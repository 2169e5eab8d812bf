// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Testing

@Suite("Evidence is weighed")
struct EvidenceWeighingTests {
    private let now: Int64 = 1_700_000_000_000
    private let threshold = AttackThreshold()

    private func evidence(_ reporter: String, _ kind: EvidenceKind, ageMilliseconds: Int64 = 0) -> WeighedEvidence {
        WeighedEvidence(
            from: ReportSource(reporter: reporter, machine: nil), evidence: Evidence(kind: kind, detail: ""),
            timeMilliseconds: now - ageMilliseconds)
    }

    @Test func `one direct call reaches the default threshold`() {
        #expect(threshold.decide([evidence("a", .directCall)], nowMilliseconds: now) == .reached(points: 100))
    }

    @Test func `nothing waits with no points`() {
        #expect(threshold.decide([], nowMilliseconds: now) == .waiting(points: 0))
    }

    @Test func `a kind counts once per reporter`() {
        let twice = [evidence("a", .memoryFile), evidence("a", .memoryFile, ageMilliseconds: 5)]
        #expect(threshold.decide(twice, nowMilliseconds: now) == .waiting(points: 40))
    }

    @Test func `each further reporter adds its own`() {
        let two = [evidence("a", .memoryFile), evidence("b", .memoryFile)]
        #expect(threshold.decide(two, nowMilliseconds: now) == .waiting(points: 80))
        #expect(threshold.decide(two + [evidence("c", .memoryFile)], nowMilliseconds: now) == .reached(points: 120))
    }

    @Test func `one reporter's total is capped`() {
        let all = EvidenceKind.allCases.map { evidence("a", $0) }
        #expect(threshold.decide(all, nowMilliseconds: now) == .reached(points: 100))
        let two = AttackThreshold(points: 200)
        #expect(two.decide(all, nowMilliseconds: now) == .waiting(points: 100))
        #expect(two.decide(all + [evidence("b", .directCall)], nowMilliseconds: now) == .reached(points: 200))
    }

    /// Of a site.
    private func conclusion(_ reporter: String, points: Int) -> WeighedEvidence {
        WeighedEvidence(reporter: reporter, kind: WeighedEvidence.siteConclusion, points: points, timeMilliseconds: now)
    }

    @Test func `what a site concluded counts instead of the less that its packets bring`() {
        let packet = evidence("site", .memoryFile)
        #expect(threshold.decide([packet, conclusion("site", points: 120)], nowMilliseconds: now) == .reached(points: 100))
        #expect(threshold.decide([packet, conclusion("site", points: 80)], nowMilliseconds: now) == .waiting(points: 80))
        #expect(threshold.decide([packet, conclusion("site", points: 1)], nowMilliseconds: now) == .waiting(points: 40))
    }

    @Test func `a site that claims many points has one reporter's share of them`() {
        let two = AttackThreshold(points: 200)
        let lie = [conclusion("site", points: 1_000_000), evidence("site", .memoryFile)]
        #expect(two.decide(lie, nowMilliseconds: now) == .waiting(points: 100))
        #expect(two.decide(lie + [conclusion("other", points: 120)], nowMilliseconds: now) == .reached(points: 200))
    }

    @Test func `evidence as old as the window no longer counts`() {
        let window = AttackThreshold.defaultWindowMilliseconds
        let young = [evidence("a", .directCall, ageMilliseconds: window - 1)]
        let old = [evidence("a", .directCall, ageMilliseconds: window)]
        #expect(threshold.decide(young, nowMilliseconds: now).isReached)
        #expect(threshold.decide(old, nowMilliseconds: now) == .waiting(points: 0))
    }

    @Test func `a clock that was set back hides nothing`() {
        #expect(threshold.decide([evidence("a", .directCall, ageMilliseconds: -3_600_000)], nowMilliseconds: now).isReached)
    }

    @Test func `the earliest clock overflows nothing`() {
        let decision = threshold.decide([evidence("a", .directCall)], nowMilliseconds: .min)
        #expect(decision.points >= 0)
    }
}
