// SPDX-License-Identifier: Apache-2.0

/// A compact value by which two pieces of code can be compared without keeping them: a MinHash of the set of 4-byte
/// shingles, by one permutation hashing (Li, Owen, Zhang 2012) with empty bins filled from the next full one
/// (Shrivastava, Li 2014). It takes one hash per byte, whatever the number of bins.
public struct CodeSketch: Hashable, Sendable, Codable {
    /// The number of minima: 64 bound the standard error of a similarity by 0.5 / sqrt(64).
    public static let bins = 64
    /// The length of a shingle in bytes: shorter ones are common to all code, longer ones break at each changed byte.
    public static let shingle = 4

    /// Exactly ``bins`` values.
    public let minima: [UInt32]

    public init(_ bytes: [UInt8]) {
        var found = [UInt32?](repeating: nil, count: Self.bins)
        func add(_ gram: UInt64) {
            let hash = Self.mix(gram)
            let bin = Int(hash & UInt64(Self.bins - 1))
            let value = UInt32(truncatingIfNeeded: hash >> 32)
            if value < found[bin] ?? .max { found[bin] = value }
        }
        var gram: UInt64 = 0
        for (index, byte) in bytes.enumerated() {
            gram = (gram << 8 | UInt64(byte)) & 0xffff_ffff
            if index >= Self.shingle - 1 { add(gram) }
        }
        // Code shorter than a shingle is one shingle, distinguished from longer ones by its length.
        if bytes.count < Self.shingle { add(gram | UInt64(bytes.count + 1) << 32) }
        minima = Self.filled(found)
    }

    /// Reads a sketch back from its stored form; `nil` when that has another length.
    public init?(stored: [UInt8]) {
        guard stored.count == Self.bins * 4 else { return nil }
        minima = (0..<Self.bins).map { bin in
            stored[bin * 4..<bin * 4 + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    /// The sketch as 256 bytes.
    public var stored: [UInt8] {
        minima.flatMap { value in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> UInt32($0)) } }
    }

    /// From 0 (alike) to 1 (nothing in common).
    public func distance(to other: CodeSketch) -> Double {
        let same = zip(minima, other.minima).count { $0 == $1 }
        return 1 - Double(same) / Double(Self.bins)
    }

    /// Fills each empty bin from the next full one, with the distance mixed in, so that two sketches agree there only if
    /// both bins were empty and filled alike. At least one bin is full.
    private static func filled(_ found: [UInt32?]) -> [UInt32] {
        (0..<bins).map { bin in
            for step in 0..<bins {
                if let value = found[(bin + step) % bins] { return value &+ UInt32(step) &* 0x9e37_79b1 }
            }
            return 0
        }
    }

    /// The finalizer of MurmurHash3 (Appleby), in which every bit affects all.
    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 33)) &* 0xff51_afd7_ed55_8ccd
        mixed = (mixed ^ (mixed >> 33)) &* 0xc4ce_b9fe_1a85_ec53
        return mixed ^ (mixed >> 33)
    }
}
