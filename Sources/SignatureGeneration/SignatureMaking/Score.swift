// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// The properties that candidates are ranked by, in the order in which they are compared.
public struct Score: Hashable, Sendable {
    /// In bits: enough that no benign data contains it by chance. At 128 bits the probability is one in 2^64 even in 2^64
    /// bytes of data, so more is not better.
    public static let enoughBits = 128.0

    /// Whether it has enough fixed bytes, of enough distinct values (`Signature.isSubstantial`).
    public var isSubstantial: Bool
    /// How many samples it matches, and how many there are.
    public var covered: Int
    public var samples: Int
    /// Whether its bytes were seen on the wire; `nil` if there was no capture.
    public var isOnWire: Bool?
    /// Whether the goodware index proves that no goodware matches; `nil` if there was no index.
    public var isAbsent: Bool?
    /// Whether it was made of what several samples do, rather than of their bytes.
    public var holdsForVariants = false
    /// How many of its fixed positions vary with the load address, the victim or the variant.
    public var fragileBytes: Int
    /// How specific its fixed bytes are, in bits: their surprise by the goodware's byte pairs, else by their own
    /// distribution.
    public var bits: Double
    public var maskedPositions: Int
    /// In bytes: the distance of its end from the caller's address; `nil` if it is in several places.
    public var distance: Int?
    public var length: Int

    /// Whether no sample is missed.
    public var matchesAll: Bool { covered == samples }

    /// The names of the properties, in the order in which they are compared.
    public static let order = [
        "substance", "matches all samples", "on the wire", "proven absent from goodware", "share of samples",
        "variants", "bytes that vary", "specificity", "masked positions", "distance", "length",
    ]

    /// The properties as numbers: the higher the better.
    private var parts: [Double] {
        func tristate(_ value: Bool?) -> Double { value.map { $0 ? 2 : 0 } ?? 1 }
        return [
            isSubstantial ? 1 : 0, matchesAll ? 1 : 0, tristate(isOnWire), tristate(isAbsent),
            Double(covered) / Double(max(samples, 1)), holdsForVariants ? 1 : 0, -Double(fragileBytes), min(bits, Self.enoughBits),
            -Double(maskedPositions), -Double(distance ?? 1 << 20), -Double(length),
        ]
    }

    /// The name of the first property by which this score is better than another; `nil` if it is not better.
    public func advantage(over other: Score) -> String? {
        for (name, (own, theirs)) in zip(Self.order, zip(parts, other.parts)) where own != theirs {
            return own > theirs ? name : nil
        }
        return nil
    }

    /// What is known of it from goodware and captures, for people.
    var statements: [String] {
        var result: [String] = []
        if !isSubstantial { result.append("too few bytes, or too few distinct ones, to mean anything") }
        if let isAbsent { result.append("goodware index: \(isAbsent ? "absent" : "not proven absent")") }
        if let isOnWire { result.append(isOnWire ? "seen on the wire" : "not seen on the wire as it is") }
        result.append("matches \(covered) of \(samples) \(samples == 1 ? "sample" : "samples")")
        if fragileBytes > 0 { result.append("\(fragileBytes) of its bytes may differ in the next variant") }
        return result
    }
}

/// A candidate with its score.
public struct RankedCandidate: Hashable, Sendable {
    /// With the reasons for its bytes and its rank as its provenance.
    public var signature: Signature
    public var score: Score
    /// Offsets in the reference sample's code; `nil` for token sequences.
    public var place: Range<Int>?
}
