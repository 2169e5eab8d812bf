// SPDX-License-Identifier: Apache-2.0

/// Finds the grams that are the least of a window, for a block of windows at a time.
///
/// Compared are ranks, the first 15 bits of orders, in loops without branches that the compiler makes vector instructions of. The
/// least rank of each window is a sliding minimum. A gram has the least rank of one of its windows if the greatest of its windows'
/// least ranks is its own: what image processing calls a closing, which leaves such minima as they are (Serra, "Image Analysis and
/// Mathematical Morphology", 1982). Grams of a window that have the same rank are told apart by their orders.
struct WindowMinima: ~Copyable {
    /// So many windows are looked at together: what is known of their grams stays next to the processor.
    static let blockWindows = 2048
    /// How many of a window's grams come before its last: so many windows before the one that begins with a gram hold it, too.
    @inline(__always)
    private static var reach: Int { GramSelection.gramsPerWindow - 1 }
    /// For a block's grams, ``reach`` more, and 64 more.
    private static let room = blockWindows + 128
    /// What an order has more bits than a rank.
    private static let rankShift: UInt64 = 49

    private let grams: Grams
    private let ranks = UnsafeMutablePointer<Int16>.allocate(capacity: room)
    /// The least rank of each window, behind ``reach`` values that are less than any; as many follow.
    private let least = UnsafeMutablePointer<Int16>.allocate(capacity: room)
    /// The least, then the greatest of four neighbours.
    private let fours = UnsafeMutablePointer<Int16>.allocate(capacity: room)
    /// 1 for a gram that has the least rank of a window, otherwise 0.
    private let marks = UnsafeMutablePointer<UInt8>.allocate(capacity: room)

    /// - Parameter count: of the grams that begin there, at least ``GramSelection/gramsPerWindow``.
    init(_ base: UnsafeRawPointer, grams count: Int) {
        grams = Grams(base: base, count: count)
    }

    deinit {
        ranks.deallocate()
        least.deallocate()
        fours.deallocate()
        marks.deallocate()
    }

    /// The keys of the minima, in the order of the windows; one that follows itself once.
    ///
    /// - Returns: how many there are.
    func keys(into out: UnsafeMutablePointer<UInt64>) -> Int {
        var taken = Taken(out, of: grams)
        let all = grams.count - Self.reach
        for start in stride(from: 0, to: all, by: Self.blockWindows) {
            let windows = min(Self.blockWindows, all - start)
            mark(from: start, windows: windows)
            for first in stride(from: 0, to: windows + Self.reach, by: 64) {
                var bits = Self.bits(marks + first)
                while bits != 0 {
                    taken.see(start &+ first &+ bits.trailingZeroBitCount)
                    bits &= bits &- 1
                }
            }
        }
        taken.end()
        return taken.count
    }

    /// Marks the grams of a block that have the least rank of one of the block's windows.
    @inline(__always)
    private func mark(from start: Int, windows: Int) {
        let (ranks, least, fours, marks, grams) = (ranks, least, fours, marks, grams)
        let reach = Self.reach
        let count = windows &+ reach
        for index in 0..<count { ranks[index] = Int16(truncatingIfNeeded: grams.order(start &+ index) &>> Self.rankShift) }
        for index in 0..<(count &- 3) {
            fours[index] = min(min(ranks[index], ranks[index &+ 1]), min(ranks[index &+ 2], ranks[index &+ 3]))
        }
        for index in 0..<windows {
            let (first, last) = (min(fours[index], fours[index &+ 4]), min(fours[index &+ 8], fours[index &+ 12]))
            least[index &+ reach] = min(min(first, last), ranks[index &+ reach])
        }
        least.update(repeating: -1, count: reach)
        (least + count).update(repeating: -1, count: reach)
        for index in 0..<(count &+ reach &- 3) {
            fours[index] = max(max(least[index], least[index &+ 1]), max(least[index &+ 2], least[index &+ 3]))
        }
        for index in 0..<count {
            let (first, last) = (max(fours[index], fours[index &+ 4]), max(fours[index &+ 8], fours[index &+ 12]))
            marks[index] = max(max(first, last), least[index &+ reach]) == ranks[index] ? 1 : 0
        }
        (marks + count).update(repeating: 0, count: 64)
    }

    /// 64 marks as bits, the first as the last: a product gathers those of eight bytes in its first byte.
    @inline(__always)
    private static func bits(_ marks: UnsafePointer<UInt8>) -> UInt64 {
        var bits: UInt64 = 0
        for place in stride(from: 0, to: 64, by: 8) {
            let eight = UInt64(littleEndian: UnsafeRawPointer(marks).loadUnaligned(fromByteOffset: place, as: UInt64.self))
            bits |= ((eight &* 0x0102_0408_1020_4080) &>> 56) &<< UInt64(truncatingIfNeeded: place)
        }
        return bits
    }

    /// The grams of a run of bytes.
    private struct Grams {
        let base: UnsafeRawPointer
        let count: Int

        @inline(__always)
        func order(_ place: Int) -> UInt64 { GramSelection.order(base + place) }

        /// Whether the least of the orders around some grams, which have the same, is theirs in as many grams as a window holds.
        func isMinimum(_ order: UInt64, _ first: Int, _ last: Int) -> Bool {
            var (first, last) = (first, last)
            while first > 0, last - first < reach, self.order(first - 1) >= order { first -= 1 }
            while last < count - 1, last - first < reach, self.order(last + 1) >= order { last += 1 }
            return last - first >= reach
        }
    }

    /// The keys of marked grams, which are seen one after the other.
    private struct Taken {
        private let out: UnsafeMutablePointer<UInt64>
        private let grams: Grams
        private(set) var count = 0
        /// The order whose key was the last.
        private var last: UInt64 = 0
        /// That of the latest marked grams, from which to which: the next may have the same rank and a lesser order.
        private var order: UInt64 = 0
        private var (from, to) = (-1, -1)
        /// Whether the marked gram before them has their rank.
        private var isTied = false

        init(_ out: UnsafeMutablePointer<UInt64>, of grams: Grams) {
            self.out = out
            self.grams = grams
        }

        @inline(__always)
        mutating func see(_ place: Int) {
            let next = grams.order(place)
            guard next != order || from < 0 else {
                to = place
                return
            }
            let isNextTied = next ^ order < 1 << rankShift
            if from < 0 { last = ~next } else { take(mayTie: isTied || isNextTied) }
            (order, from, to, isTied) = (next, place, place, isNextTied)
        }

        mutating func end() { if from >= 0 { take(mayTie: isTied) } }

        @inline(__always)
        private mutating func take(mayTie: Bool) {
            guard !mayTie || grams.isMinimum(order, from, to) else { return }
            out[count] = GramSelection.key(order)
            // Without a branch: which keys are repeated can't be foreseen.
            count &+= order != last ? 1 : 0
            last = order
        }
    }
}
