// SPDX-License-Identifier: Apache-2.0

import Signatures

import func Glibc.log

/// Token sequences from many samples, in the way of Polygraph (Newsome, Karp, Song 2005) and Hamsa (Li and others
/// 2006): what enough samples have in common and benign traffic has not.
///
/// 1. A few samples serve as references, enough of them that one is surely no noise.
/// 2. The runs that a reference has in common with the others come from one pass over each (``CommonRuns``).
/// 3. Only runs that chance does not explain are tokens (``Significance``).
/// 4. From all samples down to as few as the noise allows: the tokens that so many hold together, in one order
///    (``TokenSelection``), with the short ones between them (``TokenSelection/refined(in:significance:)``). The level
///    that explains most wins: the first that leaves hardly a sample out, else the one whose samples, times the
///    evidence that they share, are most.
/// 5. The smallest part of them that is evidence enough and matches nothing benign (``CoreSelection``).
/// 6. The same again with the samples that nothing matches yet: whoever planted runs in many samples to hide what all
///    variants have in common leaves some without them.
public enum TokenSequences {
    /// The largest share of noise that is taken.
    public static let largestNoiseShare = 0.8
    /// The most bytes of a sample that are looked at.
    public static let largestSample = 16384
    /// The most copies of one sample that count: who sends the same bytes again and again outvotes nobody.
    static let mostCopies = 2
    /// The most times that the samples left over are looked at.
    static let mostRounds = 3
    /// The fewest samples that a later round takes, and finds something in.
    static let fewestOfLaterRound = 3
    /// The most references that are tried.
    static let mostReferences = 32
    /// The chance that every reference is noise, at most.
    static let missedReferences = 0.001
    /// The share of samples from which on a level is taken without a look at lower ones: there is nothing left that needs
    /// to be explained, and what fewer have in common can be planted, or a coincidence.
    static let nearlyAll = 0.9
    /// In bits: evidence beyond this does not make up for samples that it leaves out.
    static let mostBitsOfLevel = CoreSelection.strongBits

    /// Finds what samples have in common, the best first. Several are a disjunction: each alone is a signature, and of
    /// those that were found together none shares a token with another, so that one whose tokens turn out to be red
    /// herrings can be dropped.
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
        let noise = min(max(noiseShare, 0), largestNoiseShare)
        var presence = TokenPresence(benign)
        var left = withoutCopies(samples)
        var found: [TokenSequence] = []
        for round in 0..<mostRounds where left.count >= (round == 0 ? 2 : fewestOfLaterRound) {
            let cluster = cluster(in: left, noise: noise, fewest: round == 0 ? 2 : fewestOfLaterRound, &presence, isGoodware)
            guard !cluster.isEmpty else { break }
            let signatures = cluster.map { Signature(tokens: $0.tokens, arrangement: $0.arrangement, context: .any) }
            for (var sequence, signature) in zip(cluster, signatures) {
                sequence.covered = samples.indices.filter { signature.matches(samples[$0]) }
                found.append(sequence)
            }
            left.removeAll { sample in signatures.contains { $0.matches(sample) } }
        }
        return found
    }

    /// The samples, of each at most ``mostCopies``.
    static func withoutCopies(_ samples: [[UInt8]]) -> [[UInt8]] {
        var copies: [[UInt8]: Int] = [:]
        return samples.filter { sample in
            copies[sample, default: 0] += 1
            return copies[sample, default: 0] <= mostCopies
        }
    }

    /// What most of the samples that can be told from noise have in common.
    private static func cluster(
        in samples: [[UInt8]], noise: Double, fewest: Int, _ presence: inout TokenPresence, _ isGoodware: (([UInt8]) -> Bool)?
    ) -> [TokenSequence] {
        let significance = Significance(samples: samples)
        let levels = levels(of: samples.count, noise: noise, fewest: fewest)
        var best: (level: Level, cores: [CoreSelection.Core])?
        for reference in references(of: samples, noise: noise) {
            let runs = CommonRuns(reference: samples[reference], samples: samples, least: levels.last ?? samples.count)
            var last: TokenSelection?
            for count in levels where Double(count) * mostBitsOfLevel > best?.level.score ?? 0 {
                let selection = selection(count, of: samples, reference: reference, runs, significance)
                guard let selection, selection.tokens != last?.tokens else { continue }
                last = selection
                let level = Level(
                    core: CoreSelection(selection, presence: &presence, significance: significance, isGoodware: isGoodware))
                guard level.score > best?.level.score ?? 0 else { continue }
                let cores = level.core.cores()
                if !cores.isEmpty { best = (level, cores) }
                if let level = best?.level, Double(level.covered) >= nearlyAll * Double(samples.count) { break }
            }
            // Neither chance gives so much evidence, nor can most samples be outdone by others: another reference would
            // at most find another cluster.
            if let level = best?.level, level.bits >= CoreSelection.enoughBits || level.covered * 2 > samples.count { break }
        }
        return best.map { best in best.cores.map { result($0, of: best.level.core, samples: samples.count) } } ?? []
    }

    /// What samples have in common, as evidence.
    private struct Level {
        let core: CoreSelection
        /// The evidence of all tokens, in bits.
        var bits: Double { core.bits.reduce(0, +) }
        var covered: Int { core.selection.covered.count }
        var score: Double { min(bits, TokenSequences.mostBitsOfLevel) * Double(covered) }
    }

    /// What at least so many samples have in common.
    static func selection(
        _ count: Int, of samples: [[UInt8]], reference: Int, _ runs: CommonRuns, _ significance: Significance
    ) -> TokenSelection? {
        let others = Double(samples.reduce(0) { $0 + $1.count }) / Double(samples.count)
        let tokens = runs.tokens(heldBy: count).filter {
            $0.holders.contains(reference)
                && significance.isSignificant(
                    $0.bytes, places: runs.reference.count, others: others, heldBy: count, of: samples.count)
        }
        return TokenSelection(tokens, in: samples, atLeast: count, chance: { significance.chance(of: $0) })?
            .refined(in: samples, significance: significance).limited
    }

    /// Samples spread over the pool.
    static func references(of samples: [[UInt8]], noise: Double) -> [Int] {
        let wanted = noise <= 0 ? 1 : Int((log(missedReferences) / log(noise)).rounded(.up))
        let count = min(max(2, wanted), mostReferences, samples.count)
        return (0..<count).map { $0 * samples.count / count }
    }

    /// From how many samples a level of coverage is tried: all, then ever fewer, down to what the noise leaves.
    static func levels(of samples: Int, noise: Double, fewest: Int = 2) -> [Int] {
        // A share such as 0.7 is no exact binary number: what lies a trifle above a whole number is that number.
        let least = max(fewest, Int((Double(samples) * (1 - noise) - 1e-9).rounded(.up)))
        guard least < samples else { return [samples] }
        let steps = min(10, samples - least)
        return (0...steps).map { samples - $0 * (samples - least) / steps }
    }

    private static func result(_ chosen: CoreSelection.Core, of core: CoreSelection, samples: Int) -> TokenSequence {
        let selection = core.selection
        return TokenSequence(
            tokens: core.tokens(of: chosen), arrangement: selection.arrangement, covered: [],
            optional: selection.tokens.indices.filter { !chosen.indices.contains($0) }.map { .init(bytes: selection.tokens[$0]) },
            reasons: [
                "\(chosen.indices.count) of the \(selection.tokens.count) runs that \(selection.covered.count) of \(samples) samples have in common"
                    + (selection.arrangement == .sequence ? ", in this order" : ", in no stable order"),
                "\(Int(core.evidence(of: chosen.indices))) bits of evidence\(chosen.needsBounds ? ", with bounds on the gaps" : ""); no match in a pool of \(core.benignCount) benign streams",
            ])
    }
}

extension TokenSelection {
    /// The selection with no more tokens than the pool can be asked for at once.
    fileprivate var limited: TokenSelection {
        guard tokens.count > TokenScanner.mostTokens else { return self }
        var limited = self
        let kept = tokens.indices.sorted { tokens[$0].count > tokens[$1].count }.prefix(TokenScanner.mostTokens).sorted()
        limited.tokens = kept.map { tokens[$0] }
        limited.layouts = layouts.map { layout in kept.map { layout[$0] } }
        return limited
    }
}
