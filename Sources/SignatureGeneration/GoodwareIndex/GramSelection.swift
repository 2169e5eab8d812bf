// SPDX-License-Identifier: Apache-2.0

/// Selects 16-byte grams of a run of bytes so that every 32-byte window holds at least one selected gram.
///
/// A window holds 17 grams; selected is the one with the least hash, its minimizer (Schleimer, Wilkerson and Aiken,
/// "Winnowing", 2003; Roberts and others, "Reducing storage requirements for biological sequence comparison", 2004).
/// The choice depends on the window's bytes only, so two equal windows select the same gram wherever they lie. On
/// random bytes 2 of 18 positions are selected.
public enum GramSelection {
    /// In bytes: the window, 17 overlapping grams of 16.
    static let window = GoodwareIndex.windowLength
    static let gram = GoodwareIndex.gramLength
    /// `window - gram + 1`, as a number that the compiler knows: the loops over it are the index's innermost.
    @inline(__always)
    static var gramsPerWindow: Int { 17 }
    /// Of how many grams, on average, one is in the sample that tells how many different ones there are.
    ///
    /// The sample is every gram with an order below 2^64 / 256. Such a gram is practically always the least of one of
    /// its windows, so the selected grams hold the whole sample, and 256 times the sample's size estimates the number
    /// of different grams, which is that of different bytes. With n of them the standard error is about 16/sqrt(n).
    public static let sampling: UInt64 = 256

    /// The keys of the selected grams, in the order of the windows; a key that follows itself is left out. Keys may
    /// still be repeated. None for fewer than 32 bytes.
    ///
    /// - Parameter keys: room for as many keys as there are bytes.
    /// - Returns: how many keys were written.
    public static func keys(of bytes: UnsafeRawBufferPointer, into keys: UnsafeMutableBufferPointer<UInt64>) -> Int {
        precondition(keys.count >= bytes.count, "room for every byte's key")
        guard bytes.count >= window, let base = bytes.baseAddress, let out = keys.baseAddress else { return 0 }
        return WindowMinima(base, grams: bytes.count - gram + 1).keys(into: out)
    }

    /// The order of each window's minimizer.
    static func orders(_ base: UnsafeRawPointer, windows: Int, into out: UnsafeMutablePointer<UInt64>) {
        slide(base, windows: windows) { place, least in out[place] = least }
    }

    /// Passes on the least order of each window, by sliding minima in blocks (van Herk 1992, Gil and Werman 1993): three
    /// comparisons a byte, whatever the data.
    @inline(__always)
    private static func slide(_ base: UnsafeRawPointer, windows: Int, _ take: (_ window: Int, _ least: UInt64) -> Void) {
        let width = gramsPerWindow
        let grams = windows + width - 1
        precondition(windows > 0)
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: width + 1) { buffer in
            guard let least = buffer.baseAddress else { return }
            // least[i] is the least of a block's grams from i on; there is none behind its end.
            least[width] = .max
            for index in 0..<width { least[index] = order(base + index) }
            suffixes(least, width)
            take(0, least[0])
            // Whole blocks, then what is left.
            var start = width
            while start + width <= grams {
                var running = UInt64.max
                for index in 0..<width {
                    let order = Self.order(base + start + index)
                    running = min(running, order)
                    // The window that ends at this gram began 16 grams before.
                    take(start + index - (width - 1), min(least[index + 1], running))
                    // This entry has been read for the last time: it takes the block's own order.
                    least[index] = order
                }
                suffixes(least, width)
                start += width
            }
            var running = UInt64.max
            for index in 0..<(grams - start) {
                running = min(running, Self.order(base + start + index))
                take(start + index - (width - 1), min(least[index + 1], running))
            }
        }
    }

    @inline(__always)
    private static func suffixes(_ least: UnsafeMutablePointer<UInt64>, _ width: Int) {
        var running = least[width - 1]
        for index in (0..<(width - 1)).reversed() {
            running = min(running, least[index])
            least[index] = running
        }
    }

    /// The pseudo-random rank of a gram: both halves multiplied to 128 bits and folded, as in wyhash (public domain,
    /// Wang Yi). The constants are the fractions of the square roots of 2 and 3, made odd.
    @inline(__always)
    static func order(_ gram: UnsafeRawPointer) -> UInt64 {
        let first = UInt64(littleEndian: gram.loadUnaligned(as: UInt64.self)) ^ 0x6a09_e667_f3bc_c909
        let second = UInt64(littleEndian: gram.loadUnaligned(fromByteOffset: 8, as: UInt64.self)) ^ 0xbb67_ae85_84ca_a73b
        let product = first.multipliedFullWidth(by: second)
        return product.high ^ product.low
    }

    /// Least orders crowd near 0; their keys are spread evenly again, one to one.
    @inline(__always)
    static func key(_ order: UInt64) -> UInt64 {
        let product = order &* factor
        return product ^ (product >> 32)
    }

    /// Whether a key is in the sample (``sampling``).
    @inline(__always)
    public static func isSampled(_ key: UInt64) -> Bool {
        ((key ^ (key >> 32)) &* inverse) < (UInt64.max / sampling)
    }

    /// The golden ratio's fraction of 2^64, which is odd.
    private static let factor: UInt64 = 0x9e37_79b9_7f4a_7c15
    /// `factor * inverse` is 1 modulo 2^64: each step of Newton's iteration doubles the right bits.
    private static let inverse: UInt64 = {
        var inverse = factor
        for _ in 0..<6 { inverse = inverse &* (2 &- factor &* inverse) }
        return inverse
    }()
}
