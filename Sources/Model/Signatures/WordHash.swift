// SPDX-License-Identifier: Apache-2.0

/// Spreads words of eight bytes over a table: multiplication by 2^64 over the golden ratio (Knuth, "The Art of Computer Programming", 6.4).
/// For tables of one process: whoever chooses the words can choose such as meet in one place.
public enum WordHash {
    /// A word's place in a table of 2^`bits` places.
    ///
    /// - Parameter bits: 1 to 63.
    @inlinable
    @inline(__always)
    public static func place(_ word: UInt64, bits: Int) -> Int {
        Int(truncatingIfNeeded: (word &* 0x9E37_79B9_7F4A_7C15) >> UInt64(64 - bits))
    }
}
