// SPDX-License-Identifier: Apache-2.0

/// The runs that two samples have in common, from four bytes up. A small part of what ``CommonRuns`` costs, and the first sample is
/// prepared once for all that it is compared with.
///
/// Each run of at least four bytes begins with four bytes that the other sample has, too: those are looked up in a table of the first
/// sample's, and only where both match, and the bytes before them don't, is the rest compared.
struct SharedRunSearch {
    /// In bytes: shorter runs are not looked for.
    static let minRun = 4

    /// What was found.
    struct Found {
        /// In the first sample; empty: none of ``minRun`` bytes.
        var longest: Range<Int> = 0..<0
        /// For each byte of the first sample: the length of the longest run that ends with it; 0: of none of ``minRun`` bytes.
        var endingAt: [UInt16]
    }

    /// Of the table of four bytes: with one place a bucket, and the others of it in a chain.
    private static let buckets = 4096
    private static let none = UInt16.max
    /// Bytes that may be compared for each byte of both samples. Fill in both has more pairs than anyone wants to look at.
    private static let maxSteps = 32

    private let bytes: [UInt8]
    private var first = [UInt16](repeating: none, count: buckets)
    private var next: [UInt16]

    /// - Parameter bytes: at most ``SuffixAutomaton/maxTextBytes``, which places of 16 bits tell apart.
    init(_ bytes: [UInt8]) {
        precondition(bytes.count <= SuffixAutomaton.maxTextBytes)
        self.bytes = bytes
        next = [UInt16](repeating: Self.none, count: bytes.count)
        guard bytes.count >= Self.minRun else { return }
        // From the end, so that each chain is in ascending order.
        for place in (0...bytes.count - Self.minRun).reversed() {
            let bucket = Self.bucket(Self.word(bytes, place))
            next[place] = first[bucket]
            first[bucket] = UInt16(place)
        }
    }

    /// The maximal runs of at least ``minRun`` bytes, as ``CommonRuns/tokens(heldBy:)`` gives them for both samples.
    ///
    /// - Returns: `nil` where too much repeats itself in both to be told quickly.
    func tokens(sharedWith other: [UInt8]) -> [CommonToken]? {
        look(at: other).map { found in
            CommonToken.maximal(in: bytes, endingAt: found.endingAt.map(Int.init), holders: { _ in [0, 1] })
        }
    }

    /// - Returns: `nil` where too much repeats itself in both to be told quickly.
    func look(at other: [UInt8]) -> Found? {
        var found = Found(endingAt: [UInt16](repeating: 0, count: bytes.count))
        guard bytes.count >= Self.minRun, other.count >= Self.minRun else { return found }
        var steps = Self.maxSteps * (bytes.count + other.count)
        for otherPlace in 0...other.count - Self.minRun {
            let word = Self.word(other, otherPlace)
            var candidate = first[Self.bucket(word)]
            while candidate != Self.none {
                let place = Int(candidate)
                candidate = next[place]
                steps -= 1
                guard steps > 0 else { return nil }
                // A run that begins earlier was found there.
                guard Self.word(bytes, place) == word, place == 0 || otherPlace == 0 || bytes[place - 1] != other[otherPlace - 1] else {
                    continue
                }
                let run = place..<place + Self.length(bytes, place, other, otherPlace)
                steps -= run.count
                if run.count > found.longest.count { found.longest = run }
                for length in Self.minRun...run.count {
                    let end = place + length - 1
                    found.endingAt[end] = max(found.endingAt[end], UInt16(length))
                }
            }
        }
        return found
    }

    /// How many bytes are the same from two places on, at least ``minRun``.
    private static func length(_ one: [UInt8], _ onePlace: Int, _ other: [UInt8], _ otherPlace: Int) -> Int {
        let most = min(one.count - onePlace, other.count - otherPlace)
        var length = minRun
        while length < most, one[onePlace + length] == other[otherPlace + length] { length += 1 }
        return length
    }

    private static func word(_ bytes: [UInt8], _ place: Int) -> UInt32 {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt32.self) }
    }

    /// Multiplication by 2^32 over the golden ratio spreads the words (Knuth, "The Art of Computer Programming", 6.4).
    private static func bucket(_ word: UInt32) -> Int { Int((word &* 2_654_435_769) >> 20) }
}
