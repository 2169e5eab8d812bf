// SPDX-License-Identifier: Apache-2.0

import Signatures

/// The runs that two samples have in common, from four to eight bytes up. A small part of what ``CommonRuns`` costs, and the first sample is
/// prepared once for all that it is compared with.
///
/// Each run of at least so many bytes begins with as many that the other sample has, too: those are looked up in a table of the first
/// sample's, and only where both match, and the bytes before them don't, is the rest compared.
struct SharedRunSearch {
    /// In bytes: the bounds of the length below which runs are not looked for.
    static let minRuns = 4...8

    /// What was found.
    struct Found {
        /// In the first sample; empty: none is long enough.
        var longest: Range<Int> = 0..<0
        /// For each byte of the first sample: the length of the longest run that ends with it; 0: none is long enough.
        var endingAt: [UInt16]
    }

    /// Of the table of beginnings: with one place a bucket, and the others of it in a chain.
    private static let buckets = 4096
    private static let none = UInt16.max
    private static let both = [0, 1]
    /// Bytes that may be compared for each byte of both samples. Fill in both has more pairs than anyone wants to look at.
    private static let maxSteps = 32

    private let bytes: [UInt8]
    /// In bytes: shorter runs are not looked for.
    private let minRun: Int
    /// For each hash of 16 bits, whether a beginning in the first sample has it: most of the other one's are passed by that.
    private var present = [UInt64](repeating: 0, count: 1 << 10)
    private var first = [UInt16](repeating: none, count: buckets)
    private var next: [UInt16]

    /// - Parameters:
    ///   - bytes: at most ``SuffixAutomaton/maxTextBytes``, which places of 16 bits tell apart.
    ///   - minRun: in bytes, within ``minRuns``: the more, the fewer coincidences are looked at.
    init(_ bytes: [UInt8], minRun: Int) {
        precondition(bytes.count <= SuffixAutomaton.maxTextBytes && Self.minRuns.contains(minRun))
        self.bytes = bytes
        self.minRun = minRun
        next = [UInt16](repeating: Self.none, count: bytes.count)
        guard bytes.count >= minRun else { return }
        bytes.withUnsafeBytes { bytes in
            // From the end, so that each chain is in ascending order.
            for place in (0...bytes.count - minRun).reversed() {
                let hash = Self.hash(Self.word(bytes, place, minRun))
                present[hash >> 6] |= 1 << UInt64(hash & 63)
                next[place] = first[hash >> 4]
                first[hash >> 4] = UInt16(place)
            }
        }
    }

    /// The maximal runs that are long enough, as ``CommonRuns/tokens(heldBy:)`` gives them for both samples.
    ///
    /// - Parameter isWanted: which of them, by their place in the first sample.
    /// - Returns: and the longest of all; `nil` where too much repeats itself in both to be told quickly.
    func tokens(
        sharedWith other: [UInt8], where isWanted: (Range<Int>) -> Bool = { _ in true }
    ) -> (tokens: [CommonToken], longest: Range<Int>)? {
        look(at: other).map { found in
            let tokens = CommonToken.maximal(in: bytes, endingAt: found.endingAt, where: isWanted, holders: { _ in Self.both })
            return (tokens, found.longest)
        }
    }

    /// - Returns: `nil` where too much repeats itself in both to be told quickly.
    func look(at other: [UInt8]) -> Found? {
        var found = Found(endingAt: [UInt16](repeating: 0, count: bytes.count))
        guard bytes.count >= minRun, other.count >= minRun else { return found }
        // Once for all places: this is the innermost loop of the analysis.
        let isDone = bytes.withUnsafeBytes { bytes in
            other.withUnsafeBytes { other in
                present.withUnsafeBufferPointer { present in
                    first.withUnsafeBufferPointer { first in
                        next.withUnsafeBufferPointer { next in
                            found.endingAt.withUnsafeMutableBufferPointer { endingAt in
                                Self.look(at: other, in: bytes, minRun, present, first, next, &found.longest, endingAt)
                            }
                        }
                    }
                }
            }
        }
        return isDone ? found : nil
    }

    /// - Returns: whether it was not too much.
    private static func look(
        at other: UnsafeRawBufferPointer, in bytes: UnsafeRawBufferPointer, _ minRun: Int, _ present: UnsafeBufferPointer<UInt64>,
        _ first: UnsafeBufferPointer<UInt16>, _ next: UnsafeBufferPointer<UInt16>, _ longest: inout Range<Int>,
        _ endingAt: UnsafeMutableBufferPointer<UInt16>
    ) -> Bool {
        var steps = maxSteps * (bytes.count + other.count)
        for otherPlace in 0...other.count - minRun {
            let word = word(other, otherPlace, minRun)
            let hash = hash(word)
            guard present[hash >> 6] >> UInt64(hash & 63) & 1 != 0 else { continue }
            var candidate = first[hash >> 4]
            while candidate != none {
                let place = Int(candidate)
                candidate = next[place]
                steps -= 1
                guard steps > 0 else { return false }
                // A run that begins earlier was found there.
                guard Self.word(bytes, place, minRun) == word, place == 0 || otherPlace == 0 || bytes[place - 1] != other[otherPlace - 1]
                else {
                    continue
                }
                let run = place..<place + length(bytes, place, other, otherPlace, from: minRun)
                steps -= run.count
                if run.count > longest.count { longest = run }
                for length in minRun...run.count {
                    let end = place + length - 1
                    endingAt[end] = max(endingAt[end], UInt16(length))
                }
            }
        }
        return true
    }

    /// How many bytes are the same from two places on.
    ///
    /// - Parameter known: so many are.
    private static func length(
        _ one: UnsafeRawBufferPointer, _ onePlace: Int, _ other: UnsafeRawBufferPointer, _ otherPlace: Int, from known: Int
    ) -> Int {
        let most = min(one.count - onePlace, other.count - otherPlace)
        var length = known
        while length < most, one[onePlace + length] == other[otherPlace + length] { length += 1 }
        return length
    }

    /// The first bytes of a run, at most eight.
    private static func word(_ bytes: UnsafeRawBufferPointer, _ place: Int, _ count: Int) -> UInt64 {
        if place + 8 <= bytes.count {
            return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) & (.max >> UInt64(64 - 8 * count))
        }
        return (0..<count).reduce(0) { $0 | UInt64(bytes[place + $1]) << UInt64(8 * $1) }
    }

    private static func hash(_ word: UInt64) -> Int { WordHash.place(word, bits: 16) }
}
