// SPDX-License-Identifier: Apache-2.0

/// Which of many samples are looked at: some of each reporter, so that one who sends many has one voice. A sample without a reporter
/// counts by itself.
enum ReporterTurns {
    /// Each reporter's newest sample, then each one's second, and so on; those that count by themselves are one reporter's here.
    ///
    /// - Parameter samples: the oldest first.
    /// - Returns: the numbers of the samples that are taken, in their order.
    static func newest(_ limit: Int, of samples: [Sample]) -> [Int] {
        guard samples.count > limit else { return Array(samples.indices) }
        var taken: [String?: Int] = [:]
        let ranked = samples.indices.reversed().map { index in
            let turn = taken[samples[index].reporter, default: 0]
            taken[samples[index].reporter] = turn + 1
            return (turn: turn, index: index)
        }
        return ranked.sorted { ($0.turn, $1.index) < ($1.turn, $0.index) }.prefix(limit).map(\.index).sorted()
    }

    /// The newest samples, of no reporter more than of all others together.
    static func balanced(_ limit: Int, of samples: [Sample]) -> [Int] {
        var counts: [String: Int] = [:]
        for sample in samples { if let reporter = sample.reporter { counts[reporter, default: 0] += 1 } }
        guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return Array(samples.indices.suffix(limit)) }
        let others = samples.count - most.value
        guard others > 0, most.value > others else { return newest(limit, of: samples) }
        var left = others
        let kept = samples.indices.reversed().filter { index in
            guard samples[index].reporter == most.key else { return true }
            left -= 1
            return left >= 0
        }.reversed().map { $0 }
        return newest(limit, of: kept.map { samples[$0] }).map { kept[$0] }
    }

    /// How many reporters some samples are of.
    static func voices(of members: [Int], among samples: [Sample]) -> Int {
        Set(members.compactMap { samples[$0].reporter }).count + members.count { samples[$0].reporter == nil }
    }
}
