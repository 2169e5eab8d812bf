// SPDX-License-Identifier: Apache-2.0

/// A generator of random numbers that gives the same numbers for the same seed on every machine, so that a figure can
/// be had again: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
package struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    /// A stream of its own for each purpose, so that one experiment's draws don't shift another's.
    package init(seed: UInt64, _ purpose: String) {
        // FNV-1a: Swift's own hash differs from run to run.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in purpose.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        self.init(seed: seed ^ hash)
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// Bytes of any value.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 17) }
    }

    /// As many bytes as a length drawn from the range.
    package mutating func bytes(_ count: ClosedRange<Int>) -> [UInt8] {
        bytes(Int.random(in: count, using: &self))
    }

    /// Bytes of the given values only.
    package mutating func bytes(_ count: ClosedRange<Int>, of values: [UInt8]) -> [UInt8] {
        (0..<Int.random(in: count, using: &self)).map { _ in values[Int.random(in: values.indices, using: &self)] }
    }
}
