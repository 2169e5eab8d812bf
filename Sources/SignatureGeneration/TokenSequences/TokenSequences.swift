// SPDX-License-Identifier: Apache-2.0

import Signatures

import func Glibc.log

/// Makes token sequences from many samples, like Polygraph (Newsome, Karp, Song 2005) and Hamsa (Li and others 2006):
/// tokens that enough samples have in common and benign traffic does not contain.
///
/// 1. A few samples serve as references, enough of them that at least one is almost certainly not noise.
/// 2. The runs that a reference has in common with the others are found in one pass over each (``CommonTokens``).
/// 3. Only runs that are not explained by chance become tokens (``Significance``).
/// 4. For each level, from all samples down to as few as the noise allows: the tokens that this many samples have in
///    common, in one order (``TokenSelection``), with the short ones between them
///    (``TokenSelection/refined(in:significance:)``). The level that explains most wins: the first that misses hardly a
///    sample, otherwise the one with the highest product of samples and shared evidence.
/// 5. The smallest part of these tokens that is enough evidence and matches nothing benign (``CoreSelection``).
/// 6. The same again with the samples that are not matched yet: an attacker who planted runs in many samples, to hide
///    what all variants have in common, leaves some samples without them.
///
/// Costs, for at most ``maxRounds`` rounds of at most ``maxReferences`` references: a pass over each sample, one for each level
/// over the lengths of its common runs, and a pass over each sample and benign stream for at most 64 tokens at a time. The
/// memory is two bytes for each byte of a reference and each sample, and at most 16 for each byte of a sample. Repetitions cost
/// no more than other bytes (``TokenScanner``, ``Occurrences``).
public enum TokenSequences {
    /// The largest accepted share of noise.
    public static let maxNoiseShare = 0.8
    /// In bytes: how much of a sample is used.
    public static let maxSampleBytes = 16384
    /// How many copies of one sample count, so that sending the same bytes again and again outvotes nothing.
    public static let maxCopies = 2
    /// How often the samples that are left over are processed.
    static let maxRounds = 3
    /// The fewest samples that a later round needs.
    static let minSamplesOfLaterRound = 3
    /// How many references are tried.
    static let maxReferences = 32
    /// The accepted probability that every reference is noise.
    static let missedReferences = 0.001
    /// The share of samples from which on a level is accepted without trying lower ones: nothing is left to explain, and what
    /// fewer samples have in common may be planted, or a coincidence.
    static let nearlyAll = 0.9
    /// In bits: more evidence does not make up for samples that are missed.
    static let maxBitsPerLevel = CoreSelection.strongBits

    /// Finds the token sequences of samples, the best first. Several are a disjunction: each alone is a signature. Those of
    /// one round share no token, so that one whose tokens turn out to be red herrings can be dropped.
    ///
    /// - Parameters:
    ///   - samples: at least two, otherwise the result is empty. Of each, the first ``maxSampleBytes`` bytes are used.
    ///   - noiseShare: the largest share of samples, 0 to ``maxNoiseShare``, that may have nothing to do with the
    ///     attack.
    ///   - benign: streams that no result matches.
    ///   - reach: in bytes, from the first token to the end of the last: how long a match may be in the samples that it
    ///     covers. `nil` for any length. Tokens in no order are not held to it.
    ///   - isGoodware: whether a token occurs in goodware, and so is not evidence.
    public static func make(
        of samples: [[UInt8]], noiseShare: Double, benign: BenignPool, reach: Int? = nil, isGoodware: (([UInt8]) -> Bool)? = nil
    ) -> [TokenSequence] {
        let samples = samples.map { Array($0.prefix(maxSampleBytes)) }
        let noise = min(max(noiseShare, 0), maxNoiseShare)
        var presence = TokenPresence(benign)
        var left = withoutCopies(samples)
        var found: [TokenSequence] = []
        for round in 0..<maxRounds where left.count >= (round == 0 ? 2 : minSamplesOfLaterRound) {
            let cluster = cluster(
                in: left, noise: noise, minSamples: round == 0 ? 2 : minSamplesOfLaterRound, &presence, reach, isGoodware)
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

    /// The samples without more than ``maxCopies`` of each.
    static func withoutCopies(_ samples: [[UInt8]]) -> [[UInt8]] {
        var copies: [[UInt8]: Int] = [:]
        return samples.filter { sample in
            copies[sample, default: 0] += 1
            return copies[sample, default: 0] <= maxCopies
        }
    }

    /// The tokens of most of the samples that are distinguishable from noise.
    private static func cluster(
        in samples: [[UInt8]], noise: Double, minSamples: Int, _ presence: inout TokenPresence, _ reach: Int?,
        _ isGoodware: (([UInt8]) -> Bool)?
    ) -> [TokenSequence] {
        let significance = Significance(samples: samples)
        let levels = levels(of: samples.count, noise: noise, minSamples: minSamples)
        var best: (level: Level, cores: [CoreSelection.Core])?
        for reference in references(of: samples, noise: noise) {
            let runs = CommonRuns(reference: samples[reference], samples: samples, minHolders: levels.last ?? samples.count)
            var last: TokenSelection?
            for count in levels where Double(count) * maxBitsPerLevel > best?.level.score ?? 0 {
                let selection = selection(count, of: samples, reference: reference, runs.tokens(heldBy: count), significance)
                guard let selection, selection.tokens != last?.tokens else { continue }
                last = selection
                let level = Level(
                    core: CoreSelection(
                        selection, presence: &presence, significance: significance, reach: reach, isGoodware: isGoodware))
                guard level.score > best?.level.score ?? 0 else { continue }
                let cores = level.core.cores()
                if !cores.isEmpty { best = (level, cores) }
                if let level = best?.level, Double(level.covered) >= nearlyAll * Double(samples.count) { break }
            }
            // This much evidence is not a coincidence, and no other group is larger: another reference would only find
            // another cluster.
            if let level = best?.level, level.bits >= CoreSelection.enoughBits || level.covered * 2 > samples.count { break }
        }
        return best.map { best in best.cores.map { result($0, of: best.level.core, samples: samples.count) } } ?? []
    }

    /// Tokens that a number of samples have in common.
    private struct Level {
        let core: CoreSelection
        /// The evidence of all tokens, in bits.
        var bits: Double { core.bits.reduce(0, +) }
        var covered: Int { core.selection.covered.count }
        var score: Double { min(bits, TokenSequences.maxBitsPerLevel) * Double(covered) }
    }

    /// The tokens that at least this many samples have in common.
    ///
    /// - Parameter common: the runs that so many hold, of which coincidences may be left out.
    static func selection(
        _ count: Int, of samples: [[UInt8]], reference: Int, _ common: [CommonToken], _ significance: Significance
    ) -> TokenSelection? {
        let others = meanLength(of: samples)
        let chances = significance.chances(in: samples[reference])
        let places = min(samples[reference].count, SuffixAutomaton.maxTextBytes)
        let tokens = common.filter {
            $0.holders.contains(reference)
                && significance.isSignificant(
                    chance: chances.of($0.range), places: places, others: others, heldBy: count, of: samples.count)
        }
        return TokenSelection(tokens, in: samples, atLeast: count, chance: { chances.of($0.range) })?
            .refined(in: samples, significance: significance).limited
    }

    static func meanLength(of samples: [[UInt8]]) -> Double {
        Double(samples.reduce(0) { $0 + $1.count }) / Double(samples.count)
    }

    /// The references: samples spread evenly over the pool.
    static func references(of samples: [[UInt8]], noise: Double) -> [Int] {
        let wanted = noise <= 0 ? 1 : Int((log(missedReferences) / log(noise)).rounded(.up))
        let count = min(max(2, wanted), maxReferences, samples.count)
        return (0..<count).map { $0 * samples.count / count }
    }

    /// The levels of coverage to try, in samples: all, then fewer and fewer, down to those that are not noise.
    ///
    /// - Parameter minSamples: no level is lower.
    static func levels(of samples: Int, noise: Double, minSamples: Int = 2) -> [Int] {
        // A share such as 0.7 has no exact binary form: a result slightly above a whole number is that number.
        let least = max(minSamples, Int((Double(samples) * (1 - noise) - 1e-9).rounded(.up)))
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
    /// The selection with no more tokens than one ``TokenScanner`` can search for.
    fileprivate var limited: TokenSelection {
        guard tokens.count > TokenScanner.maxTokens else { return self }
        var limited = self
        let kept = tokens.indices.sorted { tokens[$0].count > tokens[$1].count }.prefix(TokenScanner.maxTokens).sorted()
        limited.tokens = kept.map { tokens[$0] }
        limited.layouts = layouts.map { layout in kept.map { layout[$0] } }
        return limited
    }
}
