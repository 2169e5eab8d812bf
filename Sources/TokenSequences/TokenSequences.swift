import Signatures
import func Glibc.log

/// Token sequences from many samples, in the way of Polygraph (Newsome, Karp, Song 2005) and Hamsa (Li and others
/// 2006): what enough samples have in common and benign traffic has not.
///
/// 1. A few samples serve as references, enough of them that one is surely no noise.
/// 2. The runs that a reference has in common with the others come from one pass over each (``CommonRuns``).
/// 3. Only runs that chance does not explain are tokens (``Significance``).
/// 4. From all samples down to as few as the noise allows: the tokens that so many hold together, in one order
///    (``TokenSelection``), with the short ones between them (``TokenSelection/refined(in:significance:)``).
/// 5. The smallest part of them that is evidence enough and matches nothing benign (``CoreSelection``).
public enum TokenSequences {
    /// The largest share of noise that is taken.
    public static let largestNoiseShare = 0.8
    /// The most bytes of a sample that are looked at.
    public static let largestSample = 16384
    /// The most references that are tried.
    static let mostReferences = 32
    /// The chance that every reference is noise, at most.
    static let missedReferences = 0.001

    /// Finds what samples have in common, the best first. Several are a disjunction: each alone is a signature, and
    /// they share no token, so that one whose tokens turn out to be red herrings can be dropped.
    ///
    /// - Parameters:
    ///   - samples: fewer than two have nothing in common, and give nothing; of each the first ``largestSample`` bytes.
    ///   - noiseShare: the largest share of samples, 0 to ``largestNoiseShare``, that may have nothing to do with the
    ///     attack.
    ///   - benign: no result matches any of its streams.
    ///   - isGoodware: whether a token is known from goodware, so that it brings no evidence.
    public static func make(
        of samples: [[UInt8]], noiseShare: Double, benign: BenignPool, isGoodware: (([UInt8]) -> Bool)? = nil
    ) -> [TokenSequence] {
        let samples = samples.map { Array($0.prefix(largestSample)) }
        guard samples.count >= 2 else { return [] }
        let noise = min(max(noiseShare, 0), largestNoiseShare)
        let significance = Significance(samples: samples)
        var best: [TokenSequence] = []
        for reference in references(of: samples, noise: noise) {
            let found = sequences(samples, reference, noise, benign, significance, isGoodware)
            if (found.first?.covered.count ?? 0) > (best.first?.covered.count ?? 0) { best = found }
            // More than half of the samples can't be outdone by others that share none of it.
            if let first = best.first, first.covered.count * 2 > samples.count { break }
        }
        return best
    }

    /// Samples spread over the pool.
    static func references(of samples: [[UInt8]], noise: Double) -> [Int] {
        let wanted = noise <= 0 ? 1 : Int((log(missedReferences) / log(noise)).rounded(.up))
        let count = min(max(2, wanted), mostReferences, samples.count)
        return (0..<count).map { $0 * samples.count / count }
    }

    /// From how many samples a level of coverage is tried: all, then ever fewer, down to what the noise leaves.
    static func levels(of samples: Int, noise: Double) -> [Int] {
        // A share such as 0.7 is no exact binary number: what lies a trifle above a whole number is that number.
        let least = max(2, Int((Double(samples) * (1 - noise) - 1e-9).rounded(.up)))
        guard least < samples else { return [samples] }
        let steps = min(10, samples - least)
        return (0...steps).map { samples - $0 * (samples - least) / steps }
    }

    private static func sequences(
        _ samples: [[UInt8]], _ reference: Int, _ noise: Double, _ benign: BenignPool, _ significance: Significance,
        _ isGoodware: (([UInt8]) -> Bool)?
    ) -> [TokenSequence] {
        let runs = CommonRuns(reference: samples[reference], samples: samples)
        let others = Double(samples.reduce(0) { $0 + $1.count }) / Double(samples.count)
        for level in levels(of: samples.count, noise: noise) {
            let tokens = runs.tokens(heldBy: level).filter {
                $0.holders.contains(reference)
                    && significance.isSignificant(
                        $0.bytes, places: runs.reference.count, others: others, heldBy: level, of: samples.count)
            }
            guard
                let selection = TokenSelection(tokens, in: samples, atLeast: level, chance: { significance.chance(of: $0) })?
                    .refined(in: samples, significance: significance)
            else { continue }
            let core = CoreSelection(
                selection.limited, benign: benign, significance: significance, isGoodware: isGoodware)
            let cores = core.cores()
            if !cores.isEmpty { return cores.map { result($0, of: core, samples: samples, significance) } }
        }
        return []
    }

    private static func result(
        _ chosen: CoreSelection.Core, of core: CoreSelection, samples: [[UInt8]], _ significance: Significance
    ) -> TokenSequence {
        let selection = core.selection
        let tokens = core.tokens(of: chosen)
        let arrangement: Signature.Arrangement = selection.arrangement == .sequence ? .sequence : .conjunction
        let signature = Signature(tokens: tokens, arrangement: arrangement, context: .any)
        let covered = samples.indices.filter { signature.matches(samples[$0]) }
        let bits = chosen.indices.reduce(0) { $0 + core.bits[$1] }
        return TokenSequence(
            tokens: tokens, arrangement: arrangement, covered: covered,
            optional: selection.tokens.indices.filter { !chosen.indices.contains($0) }.map { .init(bytes: selection.tokens[$0]) },
            reasons: [
                "\(tokens.count) of the \(selection.tokens.count) runs that \(selection.covered.count) of \(samples.count) samples have in common"
                    + (arrangement == .sequence ? ", in this order" : ", in no stable order"),
                "\(Int(bits)) bits of evidence\(chosen.needsBounds ? ", with bounds on the gaps" : ""); no match in a pool of \(core.benignCount) benign streams",
            ])
    }
}

extension TokenSelection {
    /// The selection with no more tokens than the pool can be asked for at once.
    fileprivate var limited: TokenSelection {
        guard tokens.count > BenignPool.mostTokens else { return self }
        var limited = self
        let kept = tokens.indices.sorted { tokens[$0].count > tokens[$1].count }.prefix(BenignPool.mostTokens).sorted()
        limited.tokens = kept.map { tokens[$0] }
        limited.layouts = layouts.map { layout in kept.map { layout[$0] } }
        return limited
    }
}
