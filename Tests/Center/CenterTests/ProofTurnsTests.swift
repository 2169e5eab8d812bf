// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CenterAnalysis

@Suite("Proofs of one host's junk keep no other's attack waiting")
struct ProofTurnsTests {
    private typealias Pending = [(cluster: Int64, holders: [String])]

    private func order(_ pending: Pending, _ turns: inout ProofTurns) -> [Int64] { turns.order(pending).map(\.cluster) }

    @Test func `whom less time was spent on is next, however much weighs more`() {
        var turns = ProofTurns()
        let pending: Pending = [(1, ["intruder"]), (2, ["intruder"]), (3, ["intruder"]), (9, ["host"])]
        #expect(order(pending, &turns) == [1, 2, 3, 9])
        turns.took(.seconds(6), of: ["intruder"])
        #expect(order(Array(pending.dropFirst()), &turns) == [9, 2, 3])
        turns.took(.seconds(15), of: ["host"])
        #expect(order([(2, ["intruder"]), (3, ["intruder"]), (10, ["host"])], &turns) == [2, 3, 10])
    }

    @Test func `what takes no time goes by what weighs most`() {
        var turns = ProofTurns()
        turns.took(.milliseconds(4900), of: ["one"])
        #expect(order([(1, ["one"]), (2, ["other"])], &turns) == [1, 2])
        turns.took(.milliseconds(200), of: ["one"])
        #expect(order([(1, ["one"]), (2, ["other"])], &turns) == [2, 1])
    }

    @Test func `what nobody reports comes first`() {
        var turns = ProofTurns()
        turns.took(.seconds(60), of: [])
        #expect(order([(1, ["intruder"]), (2, []), (3, [])], &turns) == [2, 3, 1])
    }

    @Test func `junk that two send together has the turns of the two, and no more`() {
        var turns = ProofTurns()
        let both = ["intruder-1", "intruder-2"]
        let junk: Pending = (1...4).map { ($0, both) }
        #expect(order(junk + [(9, ["host"])], &turns) == [1, 2, 3, 4, 9], "it weighs more")
        // The time of one that both report is one's.
        turns.took(.seconds(6), of: both)
        #expect(order(junk.dropFirst() + [(9, ["host"])], &turns) == [2, 3, 4, 9])
        turns.took(.seconds(6), of: both)
        #expect(order(junk.dropFirst(2) + [(9, ["host"])], &turns) == [9, 3, 4])
    }

    @Test func `an attack goes by the first of those who report it, whoever else does`() {
        var turns = ProofTurns()
        turns.took(.seconds(600), of: ["intruder"])
        turns.took(.seconds(6), of: ["host-1"])
        #expect(order([(1, ["host-1"]), (2, ["host-1", "intruder"]), (3, ["host-2", "intruder"])], &turns) == [3, 1, 2])
    }

    @Test func `of whom nothing waits is forgotten`() {
        var turns = ProofTurns()
        turns.took(.seconds(6), of: ["intruder"])
        #expect(order([(1, ["host"])], &turns) == [1])
        #expect(order([(2, ["intruder"]), (3, ["host"])], &turns) == [2, 3])
    }
}
