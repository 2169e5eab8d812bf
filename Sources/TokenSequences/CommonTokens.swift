/// A run of one sample, the reference, with the samples that hold it.
struct CommonToken {
    /// Where it lies in the reference.
    var range: Range<Int>
    var bytes: [UInt8]
    /// Indices of the samples that hold it, ascending.
    var holders: [Int]
}

/// The runs that a reference has in common with other samples, for any number of them.
///
/// The cost is one pass over each sample, and the memory two bytes for each byte of the reference and sample: nothing
/// is compared pair by pair.
struct CommonRuns {
    let reference: [UInt8]
    let samples: Int
    /// One row a byte of the reference, with one length a sample.
    private let lengths: [UInt16]

    init(reference: [UInt8], samples: [[UInt8]]) {
        let reference = Array(reference.prefix(SuffixAutomaton.largestText))
        let automaton = SuffixAutomaton(reference)
        var lengths = [UInt16](repeating: 0, count: reference.count * samples.count)
        for (column, sample) in samples.enumerated() {
            let runs = automaton.commonRuns(with: sample)
            for (row, length) in runs.enumerated() { lengths[row * samples.count + column] = length }
        }
        self.reference = reference
        self.samples = samples.count
        self.lengths = lengths
    }

    /// The maximal runs of at least two bytes that so many samples hold, in the order of the reference.
    func tokens(heldBy count: Int) -> [CommonToken] {
        let shared = reference.indices.map { sharedLength(at: $0, by: count) }
        var tokens: [CommonToken] = []
        for end in reference.indices where shared[end] >= 2 {
            // A run that the next one extends is no maximal one.
            if end + 1 < reference.count, shared[end + 1] == shared[end] + 1 { continue }
            let range = end + 1 - shared[end]..<end + 1
            let row = end * samples
            let holders = (0..<samples).filter { Int(lengths[row + $0]) >= shared[end] }
            tokens.append(CommonToken(range: range, bytes: Array(reference[range]), holders: holders))
        }
        return tokens
    }

    /// The length that at least so many samples reach: the count-th largest.
    private func sharedLength(at end: Int, by count: Int) -> Int {
        let row = lengths[end * samples..<(end + 1) * samples]
        if count >= samples { return Int(row.min() ?? 0) }
        return Int(row.sorted(by: >)[count - 1])
    }
}
