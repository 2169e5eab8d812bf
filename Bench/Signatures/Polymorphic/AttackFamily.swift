// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport

/// A polymorphic attack as the papers model it: a few invariant tokens in an order, everything between them random.
///
/// The streams are inert: the tokens are protocol words and the two or three bytes that the papers found invariant, and
/// where an attack would carry code, these carry random bytes.
struct AttackFamily: Sendable {
    /// A stretch of the stream.
    enum Part: Sendable {
        /// In every variant, and in no or hardly any benign stream.
        case token([UInt8])
        /// In every variant, as in all streams of the protocol.
        case word([UInt8])
        /// Random in every variant: how many bytes, and of which values.
        case fill(ClosedRange<Int>, [UInt8])
    }

    var name: String
    /// What a center would know of where the attack came in.
    var context: SignatureContext
    var parts: [Part]
    /// What was published for it, as we recall it.
    var published: String

    /// The tokens that every variant must have.
    var invariants: [[UInt8]] {
        parts.compactMap { part in
            switch part {
            case .token(let bytes), .word(let bytes): bytes
            case .fill: nil
            }
        }
    }

    /// What a generator that knew the attack would make: the invariant tokens in their order. Whatever it matches of
    /// benign traffic, no signature of these tokens alone can avoid.
    var ideal: Signature {
        Signature(tokens: invariants.map { .init(bytes: $0) }, context: context)
    }

    /// A variant.
    ///
    /// - Parameter planted: runs that the attacker puts into the fill without need, in this order.
    func variant(_ random: inout SeededGenerator, planting planted: [[UInt8]] = []) -> [UInt8] {
        var fills = parts.map { part -> [UInt8] in
            switch part {
            case .token(let bytes), .word(let bytes): bytes
            case .fill(let count, let values): random.bytes(count, of: values)
            }
        }
        if !planted.isEmpty, let widest = parts.indices.max(by: { parts[$0].maxFill < parts[$1].maxFill }) {
            fills[widest] = Self.scatter(planted, over: fills[widest], &random)
        }
        return fills.flatMap { $0 }
    }

    /// The words of the protocol without what only the attack has: what crafted noise shares with the attack.
    func decoy(_ random: inout SeededGenerator, planting planted: [[UInt8]]) -> [UInt8] {
        var copy = self
        copy.parts = parts.map { part in
            guard case .token(let bytes) = part else { return part }
            return .fill(bytes.count...bytes.count, Self.anything)
        }
        return copy.variant(&random, planting: planted)
    }

    /// Puts runs into fill at random places, in their order.
    static func scatter(_ runs: [[UInt8]], over fill: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        let places = runs.map { _ in Int.random(in: 0...fill.count, using: &random) }.sorted()
        var result: [UInt8] = []
        var start = 0
        for (run, place) in zip(runs, places) {
            result += fill[start..<place] + run
            start = place
        }
        return result + fill[start...]
    }

    static let anything = (0...255).map { UInt8($0) }
    /// What may stand in a header of HTTP without ending it.
    static let header = (1...255).map { UInt8($0) }.filter { $0 != 10 && $0 != 13 }
    /// What may stand in a request's target without ending it.
    static let target = (0x21...255).map { UInt8($0) }
    static let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
    static let hexDigits = Array("0123456789abcdef".utf8)
}

extension AttackFamily.Part {
    fileprivate var maxFill: Int {
        if case .fill(let count, _) = self { count.upperBound } else { 0 }
    }
}
