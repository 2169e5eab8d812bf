// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// What decides where a candidate stands among the others, in the order in which it is compared.
public struct Score: Hashable, Sendable {
    /// In bits: what no benign data holds by chance. At 128 bits that is one in 2^64 even over all data of 2^64 bytes,
    /// so more brings no advantage.
    public static let enoughBits = 128.0

    /// Enough fixed bytes, of enough distinct values, for ``Proof`` to pass: not fill, not padding.
    public var isSubstantial: Bool
    /// How many samples it matches, and how many there are.
    public var covered: Int
    public var samples: Int
    /// Whether its bytes were seen on the wire; `nil`: no capture was at hand.
    public var isOnWire: Bool?
    /// Whether the goodware index proves that no goodware matches; `nil`: none was at hand.
    public var isAbsent: Bool?
    /// How many of its fixed positions would another load address or victim change.
    public var fragileBytes: Int
    /// How specific its fixed bytes are, in bits: their surprise by the goodware's byte pairs, else by their own
    /// distribution.
    public var bits: Double
    public var maskedPositions: Int
    /// In bytes: how far its end lies from the caller's address; `nil`: it has no one place.
    public var distance: Int?
    public var length: Int

    /// Whether no sample is missed.
    public var matchesAll: Bool { covered == samples }

    /// The parts in which scores differ, by name, in the order in which they are compared.
    public static let order = [
        "substance", "matches all samples", "on the wire", "proven absent from goodware", "share of samples",
        "address bytes", "specificity", "masked positions", "distance", "length",
    ]

    /// The parts as numbers, each the better the higher.
    private var parts: [Double] {
        func tristate(_ value: Bool?) -> Double { value.map { $0 ? 2 : 0 } ?? 1 }
        return [
            isSubstantial ? 1 : 0, matchesAll ? 1 : 0, tristate(isOnWire), tristate(isAbsent),
            Double(covered) / Double(max(samples, 1)), -Double(fragileBytes), min(bits, Self.enoughBits),
            -Double(maskedPositions), -Double(distance ?? 1 << 20), -Double(length),
        ]
    }

    /// The name of the first part in which this score is better than another; `nil`: it is not better.
    public func advantage(over other: Score) -> String? {
        for (name, (own, theirs)) in zip(Self.order, zip(parts, other.parts)) where own != theirs {
            return own > theirs ? name : nil
        }
        return nil
    }

    /// For people, where it stands with regard to goodware and captures.
    var statements: [String] {
        var result: [String] = []
        if !isSubstantial { result.append("too few bytes, or too few distinct ones, to mean anything") }
        if let isAbsent { result.append("goodware index: \(isAbsent ? "absent" : "not proven absent")") }
        if let isOnWire { result.append(isOnWire ? "seen on the wire" : "not seen on the wire as it is") }
        result.append("matches \(covered) of \(samples) \(samples == 1 ? "sample" : "samples")")
        if fragileBytes > 0 { result.append("\(fragileBytes) of its bytes are part of addresses") }
        return result
    }
}

/// A candidate with what it was ranked by.
public struct RankedCandidate: Hashable, Sendable {
    /// Its provenance says why these bytes, and why it stands where it does.
    public var signature: Signature
    public var score: Score
    /// Offsets in the reference sample's code; `nil` for token sequences.
    public var place: Range<Int>?
}
