// SPDX-License-Identifier: Apache-2.0

/// Sorts keys by their digits: for millions of random keys faster than by comparisons.
///
/// First by the first 8 bits that they don't all share, to parts that lie near the processor; then each part by the next 16, least
/// significant first. What is left is in order but for a few neighbours.
enum KeySort {
    /// From so many keys on they are sorted by digits.
    private static let manyKeys = 64
    private static let digits = 256
    /// A part of so many keys is moved within a room of its own, which stays near the processor; larger ones are only those of keys
    /// that were chosen for it, or are few altogether.
    private static let roomKeys = 1 << 15
    /// As far a key is moved to its place one by one: farther only where one is repeated often, or where keys were chosen for it.
    private static let maxMoves = 32

    /// Of keys that are spread evenly, as ``GramSelection`` makes them; others only take longer.
    ///
    /// - Parameters:
    ///   - other: room for as many keys.
    ///   - sharedBits: so many first bits, 0 to 8, are the same in all keys.
    ///   - finish: is given the different keys of each part in turn, in ascending order, while they are near the processor.
    /// - Returns: how many different keys there are: they are now at the front.
    @inline(__always)
    static func sortAndUnique(
        _ keys: UnsafeMutableBufferPointer<UInt64>, with other: UnsafeMutablePointer<UInt64>, sharedBits: Int = 0,
        finish: (UnsafeMutableBufferPointer<UInt64>) -> Void = { _ in }
    ) -> Int {
        guard let base = keys.baseAddress else { return 0 }
        return withUnsafeTemporaryAllocation(of: Int.self, capacity: 3 * digits) { places in
            guard let ends = places.baseAddress else { return 0 }
            let room = UnsafeMutablePointer<UInt64>.allocate(capacity: roomKeys)
            defer { room.deallocate() }
            let shift = UInt64(truncatingIfNeeded: 56 - sharedBits)
            ends.initialize(repeating: 0, count: digits)
            for index in 0..<keys.count { ends[digit(base[index], shift)] &+= 1 }
            move(base, keys.count, to: other, by: shift, ends)
            var written = 0
            var start = 0
            for digit in 0..<digits {
                let count = ends[digit] - start
                sort(other + start, count <= roomKeys ? room : base + start, count, below: shift, ends + digits)
                // Never more than what was there, which has been read by now.
                let end = unique(other + start, count, into: base, from: written)
                finish(UnsafeMutableBufferPointer(start: base + written, count: end - written))
                written = end
                start = ends[digit]
            }
            return written
        }
    }

    /// Sorts a part, whose keys are the same from a digit on.
    ///
    /// - Parameters:
    ///   - other: room for as many keys.
    ///   - shift: of that digit.
    ///   - counts: room for two times ``digits``.
    private static func sort(
        _ keys: UnsafeMutablePointer<UInt64>, _ other: UnsafeMutablePointer<UInt64>, _ count: Int, below shift: UInt64,
        _ counts: UnsafeMutablePointer<Int>
    ) {
        // Neighbours whose bits from here on are the same are in no order yet: at first that's all of them.
        var unsorted: UInt64 = 64
        if count >= manyKeys {
            let (first, second) = (shift &- 8, shift &- 16)
            counts.initialize(repeating: 0, count: 2 * digits)
            for index in 0..<count {
                counts[digit(keys[index], first)] &+= 1
                counts[digits &+ digit(keys[index], second)] &+= 1
            }
            move(keys, count, to: other, by: second, counts + digits)
            move(other, count, to: keys, by: first, counts)
            unsorted = second
        }
        var index = 1
        while index < count {
            let key = keys[index]
            var place = index
            while place > 0, keys[place &- 1] > key, index &- place < maxMoves {
                keys[place] = keys[place &- 1]
                place &-= 1
            }
            keys[place] = key
            index &+= 1
            if place > 0, keys[place &- 1] > key { index = sortAlike(keys, count, around: place, unsorted) }
        }
    }

    /// Sorts the neighbours of a key that begin with the same bits.
    ///
    /// - Returns: the end of those neighbours.
    @inline(never)
    private static func sortAlike(_ keys: UnsafeMutablePointer<UInt64>, _ count: Int, around place: Int, _ unsorted: UInt64) -> Int {
        let key = keys[place]
        var (start, end) = (place, place + 1)
        while start > 0, (keys[start - 1] ^ key) >> unsorted == 0 { start -= 1 }
        while end < count, (keys[end] ^ key) >> unsorted == 0 { end += 1 }
        var alike = UnsafeMutableBufferPointer(start: keys + start, count: end - start)
        alike.sort()
        return end
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

    @inline(__always)
    private static func digit(_ key: UInt64, _ shift: UInt64) -> Int { Int(truncatingIfNeeded: (key &>> shift) & 255) }

    /// Moves keys to their places by one digit, and keeps the order of keys that have the same.
    ///
    /// - Parameter counts: how many keys have each digit; then the end of each digit's keys.
    private static func move(
        _ from: UnsafePointer<UInt64>, _ count: Int, to: UnsafeMutablePointer<UInt64>, by shift: UInt64,
        _ counts: UnsafeMutablePointer<Int>
    ) {
        var sum = 0
        for digit in 0..<digits {
            let size = counts[digit]
            counts[digit] = sum
            sum &+= size
        }
        for index in 0..<count {
            let key = from[index]
            let digit = digit(key, shift)
            to[counts[digit]] = key
            counts[digit] &+= 1
        }
    }
}
