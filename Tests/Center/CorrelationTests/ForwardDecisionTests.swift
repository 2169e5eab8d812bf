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
}
