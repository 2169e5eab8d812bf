// SPDX-License-Identifier: Apache-2.0

/// A run of one sample, the reference, with the samples that hold it.
struct CommonToken {
    /// Where it lies in the reference.
    var range: Range<Int>
    /// Indices of the samples that hold it, ascending.
    var holders: [Int]
    /// All tokens of a reference share it: in fill, most of its places end a run as long as the fill.
    fileprivate let reference: [UInt8]

    var bytes: [UInt8] { Array(reference[range]) }

    /// The maximal runs of at least two bytes, in the order of the reference.
    ///
    /// - Parameters:
    ///   - lengths: for each byte of the reference, how long the run is that ends with it.
    ///   - isWanted: which of them.
    static func maximal(
        in reference: [UInt8], endingAt lengths: [some BinaryInteger], where isWanted: (Range<Int>) -> Bool = { _ in true },
        holders: (_ end: Int) -> [Int]
    ) -> [CommonToken] {
        var tokens: [CommonToken] = []
        for (end, length) in lengths.enumerated() where length >= 2 {
            let length = Int(length)
            // A run that the next one extends is not maximal.
            guard end + 1 == lengths.count || Int(lengths[end + 1]) != length + 1 else { continue }
            let range = end + 1 - length..<end + 1
            if isWanted(range) { tokens.append(CommonToken(range: range, holders: holders(end), reference: reference)) }
        }
        return tokens
    }

    /// Whether it is the other one, a few bytes on: fill and other repetitions hold themselves.
    func isShiftedCopy(of other: CommonToken) -> Bool {
        range.count == other.range.count && range.overlaps(other.range) && reference[range] == other.reference[other.range]
    }
}

/// The runs that a reference has in common with other samples, for any number of them.
///
/// The cost is one pass over each sample, and the memory two bytes for each byte of the reference and sample: nothing
/// is compared pair by pair, and no run is copied, however many there are.
struct CommonRuns {
    let reference: [UInt8]
    let samples: Int
    /// One row a byte of the reference, with one length a sample.
    private let lengths: [UInt16]
    /// For each byte of the reference: where its row of ``ranked`` begins; `nil` where too few samples hold a run that
    /// ends there.
    private let rows: [Int?]
    /// The lengths of such a row, the longest first.
    private let ranked: [UInt16]

    /// - Parameter minHolders: the fewest samples that ``tokens(heldBy:)`` will be asked for.
    init(reference: [UInt8], samples: [[UInt8]], minHolders: Int) {
        let reference = Array(reference.prefix(SuffixAutomaton.maxTextBytes))
        let automaton = SuffixAutomaton(reference)
        var lengths = [UInt16](repeating: 0, count: reference.count * samples.count)
        var holding = [Int](repeating: 0, count: reference.count)
        for (column, sample) in samples.enumerated() {
            // Of itself it holds everything.
            let runs = sample == reference ? reference.indices.map { UInt16($0 + 1) } : automaton.commonRuns(with: sample)
            for (row, length) in runs.enumerated() {
                lengths[row * samples.count + column] = length
                if length >= 2 { holding[row] += 1 }
            }
        }
        var ranked: [UInt16] = []
        rows = holding.enumerated().map { row, count in
            // Most of random fill ends here: no run of two bytes that enough samples hold.
            guard count >= minHolders else { return nil }
            ranked += lengths[row * samples.count..<(row + 1) * samples.count].sorted(by: >)
            return ranked.count - samples.count
        }
        self.reference = reference
        self.samples = samples.count
        self.lengths = lengths
        self.ranked = ranked
    }

    /// The maximal runs of at least two bytes that so many samples hold, in the order of the reference.
    func tokens(heldBy count: Int) -> [CommonToken] {
        // The length that at least so many samples reach: the count-th largest.
        let shared = rows.map { $0.map { Int(ranked[$0 + count - 1]) } ?? 0 }
        return CommonToken.maximal(in: reference, endingAt: shared) { end in
            (0..<samples).filter { Int(lengths[end * samples + $0]) >= shared[end] }
        }
    }
}
