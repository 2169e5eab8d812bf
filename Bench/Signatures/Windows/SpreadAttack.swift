// SPDX-License-Identifier: Apache-2.0

import TestSupport

/// An attack whose variants have some stretches of instructions in common, so far apart, and nothing else: not even what is at
/// the call. All of it is data that is never run.
struct SpreadAttack {
    /// Each longer than the windows that an index of goodware answers for.
    private let parts: [[UInt8]]
    /// In bytes, between each two.
    private let distances: [Int]

    init(span: Int, _ random: inout SeededGenerator) {
        let count = Int.random(in: 2...4, using: &random)
        parts = (0..<count).map { _ in InertInstructions.bytes(Int.random(in: 34...48, using: &random), &random) }
        let left = max(0, span - parts.reduce(0) { $0 + $1.count })
        distances = (1..<count).map { _ in left / (count - 1) }
    }

    func variant(_ random: inout SeededGenerator) -> (bytes: [UInt8], caller: Int) {
        var bytes = random.bytes(20...200) + parts[0]
        for (distance, part) in zip(distances, parts.dropFirst()) {
            bytes += random.bytes(max(0, distance - 6)...distance + 6) + part
        }
        bytes += random.bytes(60...100) + [0x0f, 0x05]
        let caller = bytes.count
        return (bytes + random.bytes(0...40), caller)
    }
}
