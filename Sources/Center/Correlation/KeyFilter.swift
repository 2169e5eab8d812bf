// SPDX-License-Identifier: Apache-2.0

import Signatures

/// Tells of most keys at once that they are not in a table: a counting Bloom filter with one hash (Fan and others, "Summary Cache",
/// 2000). A key that is in the table is never told to be missing.
struct KeyFilter {
    /// In bits: with the 32,768 keys of an index, one place in eight is taken.
    private static let sizeBits = 18

    /// How many keys share each place; one that is full stays so.
    private var counts = [UInt8](repeating: 0, count: 1 << sizeBits)

    func mayHold(_ key: UInt64) -> Bool { counts[Self.place(key)] != 0 }

    mutating func add(_ key: UInt64) {
        let place = Self.place(key)
        if counts[place] < .max { counts[place] += 1 }
    }

    mutating func remove(_ key: UInt64) {
        let place = Self.place(key)
        if counts[place] > 0, counts[place] < .max { counts[place] -= 1 }
    }

    private static func place(_ key: UInt64) -> Int { WordHash.place(key, bits: sizeBits) }
}
