// SPDX-License-Identifier: Apache-2.0

import Signatures
import TestSupport

/// Random signatures and data over a small alphabet, so that matches and near misses both come often.
struct RandomSignatures {
    var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func bytes(_ count: Int, alphabet: UInt8 = 3) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0..<alphabet, using: &generator) }
    }

    mutating func token() -> Signature.Token {
        let length = Int.random(in: 1...4, using: &generator)
        let keeps = Int.random(in: 0..<length, using: &generator)
        let masked = (0..<length).filter { $0 != keeps && Bool.random(using: &generator) }
        var gap: ClosedRange<Int>?
        if Bool.random(using: &generator) {
            let least = Int.random(in: 0...3, using: &generator)
            gap = least...(least + Int.random(in: 0...3, using: &generator))
        }
        return Signature.Token(bytes: bytes(length), masked: masked, gap: gap)
    }

    mutating func signature(_ arrangement: Signature.Arrangement = .sequence) -> Signature {
        let count = Int.random(in: 1...4, using: &generator)
        return Signature(tokens: (0..<count).map { _ in token() }, arrangement: arrangement, context: .any)
    }
}
