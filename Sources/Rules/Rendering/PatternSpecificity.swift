// SPDX-License-Identifier: Apache-2.0

/// How improbable runs of bytes are in ordinary data, in bits: an engine should search for the most improbable first.
public struct PatternSpecificity: Sendable {
    /// The specificity of a run, at least 0.
    public var bits: @Sendable ([UInt8]) -> Double

    public init(bits: @escaping @Sendable ([UInt8]) -> Double) {
        self.bits = bits
    }

    /// An estimate without a corpus: 8 bits for each distinct byte value, and one for each repetition, at most 7 of those. So
    /// the run with the most distinct values wins, then the longest, and fill never does.
    public static let distinctBytes = PatternSpecificity { run in
        let distinct = Set(run).count
        return Double(8 * distinct + min(run.count - distinct, 7))
    }

    /// The index of the rarest run; of equals the longest, then the first. `nil` if there is none.
    public func rarest(of runs: [[UInt8]]) -> Int? {
        var best: (index: Int, bits: Double, length: Int)?
        for (index, run) in runs.enumerated() {
            let rival = (index: index, bits: bits(run), length: run.count)
            if let held = best, (held.bits, held.length) >= (rival.bits, rival.length) { continue }
            best = rival
        }
        return best?.index
    }
}
