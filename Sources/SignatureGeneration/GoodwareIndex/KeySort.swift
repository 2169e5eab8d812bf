// SPDX-License-Identifier: Apache-2.0

/// Sorts keys by their digits: for millions of random keys faster than by comparisons.
///
/// First by the first 8 bits, to parts that lie near the processor; then each part by the next 16, least significant first.
/// What is left is in order but for a few neighbours.
enum KeySort {
    /// From so many keys on they are sorted by digits.
    private static let manyKeys = 64
    private static let digits = 256
    /// As far a key is moved to its place one by one: farther only where keys were chosen for it.
    private static let maxMoves = 32

    /// Of keys that are spread evenly, as ``GramSelection`` makes them; others only take longer.
    ///
    /// - Parameter other: room for as many keys.
    /// - Returns: how many different keys are now at the front, in ascending order.
    static func sortAndUnique(_ keys: UnsafeMutableBufferPointer<UInt64>, with other: UnsafeMutablePointer<UInt64>) -> Int {
        guard keys.count > 1, let base = keys.baseAddress else { return keys.count }
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: 2 * digits) { places in
            guard let ends = places.baseAddress else { return 0 }
            pass(base, other, keys.count, shift: 56, ends)
            var written = 0
            var start = 0
            for digit in 0..<digits {
                let count = ends[digit] - start
                sort(other + start, base + start, count, ends + digits)
                // Never more than what was there, which has been read by now.
                written = unique(other + start, count, into: base, from: written)
                start = ends[digit]
            }
            return written
        }
    }

    /// Sorts a part, whose first 8 bits are the same.
    ///
    /// - Parameter other: room for as many keys.
    private static func sort(
        _ keys: UnsafeMutablePointer<UInt64>, _ other: UnsafeMutablePointer<UInt64>, _ count: Int, _ places: UnsafeMutablePointer<Int>
    ) {
        if count >= manyKeys {
            pass(keys, other, count, shift: 40, places)
            pass(other, keys, count, shift: 48, places)
        }
        guard count > 1 else { return }
        for index in 1..<count {
            let key = keys[index]
            var place = index
            while place > 0, keys[place - 1] > key {
                guard index - place < maxMoves else {
                    keys[place] = key
                    var all = UnsafeMutableBufferPointer(start: keys, count: count)
                    return all.sort()
                }
                keys[place] = keys[place - 1]
                place -= 1
            }
            keys[place] = key
        }
    }

    /// Appends those keys that differ from the one before.
    ///
    /// - Returns: how many there are then.
    private static func unique(
        _ keys: UnsafePointer<UInt64>, _ count: Int, into out: UnsafeMutablePointer<UInt64>, from start: Int
    ) -> Int {
        guard count > 0 else { return start }
        var written = start
        // Parts have no key in common.
        var last = ~keys[0]
        for index in 0..<count {
            let key = keys[index]
            // Without a branch: which keys are repeated can't be foreseen.
            out[written] = key
            written &+= key != last ? 1 : 0
            last = key
        }
        return written
    }

    /// Sorts by one digit, and keeps the order of keys that have the same.
    ///
    /// - Parameter places: room for ``digits``; then the end of each digit's keys.
    private static func pass(
        _ from: UnsafePointer<UInt64>, _ to: UnsafeMutablePointer<UInt64>, _ count: Int, shift: UInt64,
        _ places: UnsafeMutablePointer<Int>
    ) {
        places.initialize(repeating: 0, count: digits)
        for index in 0..<count { places[Int(truncatingIfNeeded: (from[index] &>> shift) & 255)] &+= 1 }
        var sum = 0
        for digit in 0..<digits {
            let size = places[digit]
            places[digit] = sum
            sum &+= size
        }
        for index in 0..<count {
            let key = from[index]
            let digit = Int(truncatingIfNeeded: (key &>> shift) & 255)
            to[places[digit]] = key
            places[digit] &+= 1
        }
    }
}
