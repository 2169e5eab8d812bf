// SPDX-License-Identifier: Apache-2.0

import Correlation
import Testing

@Suite("A packet is forwarded when it brings a new kind of evidence")
struct ForwardDecisionTests {
    private func candidate(_ report: Int64, _ kinds: Set<String>) -> ForwardDecision.Candidate {
        ForwardDecision.Candidate(report: report, kinds: kinds)
    }

    @Test func `of packets that bring the same kinds the oldest is chosen`() {
        let chosen = ForwardDecision.choose(from: [candidate(1, ["a"]), candidate(2, ["a"]), candidate(3, ["a", "b"])], forwarded: [])
        #expect(chosen.map(\.report) == [1, 3])
    }

    @Test func `a packet whose kinds were forwarded is not chosen`() {
        #expect(ForwardDecision.choose(from: [candidate(1, ["a"]), candidate(2, [])], forwarded: ["a"]).isEmpty)
    }

    @Test func `a conclusion goes with the packets that are forwarded anyway, or else with the oldest`() {
        let conclusion = ForwardDecision.conclusion(points: 120)
        let candidates = [candidate(1, ["a"]), candidate(2, ["a"]), candidate(3, ["b"])]
        let chosen = ForwardDecision.choose(from: candidates, forwarded: ["a"], conclusion: conclusion)
        #expect(chosen == [candidate(3, Set(["b"]).union(conclusion))])
        let alone = ForwardDecision.choose(from: candidates, forwarded: ["a", "b"], conclusion: conclusion)
        #expect(alone == [candidate(1, Set(["a"]).union(conclusion))])
        let again = ForwardDecision.choose(from: candidates, forwarded: Set(["a", "b"]).union(conclusion), conclusion: conclusion)
        #expect(again.isEmpty, "it goes out once")
    }

    @Test func `what a lower threshold concluded goes out once more when it weighs as much as a site can`() {
        let (first, full) = (ForwardDecision.conclusion(points: 80), ForwardDecision.conclusion(points: 100))
        #expect(first.isStrictSubset(of: full))
        #expect(ForwardDecision.conclusion(points: 99) == first && ForwardDecision.conclusion(points: 100_000) == full)
    }
}
