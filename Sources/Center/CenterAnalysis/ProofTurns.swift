// SPDX-License-Identifier: Apache-2.0

/// Whose proof is made next: that of whom the least time was spent on, in steps of some seconds; what takes no time goes by what weighs
/// most. What several report is in the turn of the one of them that is first, and its time is that one's. So neither many attacks of one
/// host, or of several that say the same, nor such as take long to prove keep another host's waiting for longer than such a step each.
struct ProofTurns {
    /// In seconds.
    static let step = 5.0

    /// The time that was spent on each of whom a proof waits.
    private var spent: [String: Duration] = [:]

    /// - Parameter pending: with who reports each; nobody: it is first. In the order that they have without turns.
    mutating func order(_ pending: [(cluster: Int64, holders: [String])]) -> [(cluster: Int64, holders: [String])] {
        let holders = Set(pending.flatMap(\.holders))
        spent = spent.filter { holders.contains($0.key) }
        let steps = pending.map { item in next(of: item.holders).map { 1 + Int(time(of: $0) / .seconds(Self.step)) } ?? 0 }
        return pending.indices.sorted { (steps[$0], $0) < (steps[$1], $1) }.map { pending[$0] }
    }

    /// Notes how long a proof took.
    mutating func took(_ duration: Duration, of holders: [String]) {
        if let holder = next(of: holders) { spent[holder, default: .zero] += duration }
    }

    private func next(of holders: [String]) -> String? { holders.min { (time(of: $0), $0) < (time(of: $1), $1) } }

    private func time(of holder: String) -> Duration { spent[holder] ?? .zero }
}
