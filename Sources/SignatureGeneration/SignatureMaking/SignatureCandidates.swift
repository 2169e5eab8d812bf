// SPDX-License-Identifier: Apache-2.0

public import GoodwareIndex
public import Signatures
public import TokenSequences

/// Makes the candidates for a cluster's signatures and ranks them.
///
/// Costs: windows at the call, a pass over the code of each sample; rare windows, a look-up for each byte of one sample and at most
/// 4,096 comparisons of 32 bytes with each sample; sequences, as ``TokenSequences/TokenSequences`` says.
public enum SignatureCandidates {
    /// The candidates, the best first. The provenance of each gives the reasons for its bytes and its rank. None is
    /// proven yet.
    ///
    /// - Parameters:
    ///   - samples: at least one, the oldest first.
    ///   - goodware: `nil` if there is none: then no candidate is preferred for its rarity.
    ///   - limit: how many candidates are returned at most.
    public static func signatures(
        for samples: [Sample], goodware: GoodwareIndex?, benign: BenignPool, noiseShare: Double = 0.5, limit: Int = 16
    ) -> [Signature] {
        ranked(for: samples, goodware: goodware, benign: benign, noiseShare: noiseShare, limit: limit).map(\.signature)
    }

    /// The candidates with the scores that they were ranked by.
    ///
    /// - Parameter window: in bytes: the length of the caller window.
    public static func ranked(
        for samples: [Sample], goodware: GoodwareIndex?, benign: BenignPool, noiseShare: Double = 0.5, limit: Int = 16,
        window: Int = CallerWindow.length
    ) -> [RankedCandidate] {
        ranked(
            for: samples, rarity: goodware.map { GoodwareRarity($0) }, benign: benign, noiseShare: noiseShare, limit: limit, window: window)
    }

    static func ranked(
        for samples: [Sample], rarity: GoodwareRarity?, benign: BenignPool, noiseShare: Double = 0.5, limit: Int = 16,
        window: Int = CallerWindow.length,
        common: CandidateMaker.Common = { TokenSequences.make(of: $0, noiseShare: $1, benign: $2, reach: $3, isGoodware: $4) }
    ) -> [RankedCandidate] {
        guard limit > 0, var maker = CandidateMaker(samples: samples, rarity: rarity, window: window) else { return [] }
        var candidates = [maker.callerWindow(), maker.maskedWindow()].compactMap { $0 }
        candidates += maker.patterns()
        candidates += maker.rareWindows(limit: Self.maxRareWindows)
        candidates += maker.sequences(benign: benign, noiseShare: noiseShare, common: common)
        // The bytes at the call are shown whatever they are, with the reason why they make no signature.
        candidates.removeAll { candidate in
            candidate.strategy != .callerWindow
                && TextBytes.isPart(of: Signature(tokens: candidate.tokens, arrangement: candidate.arrangement, context: .any))
        }
        return Ranking(maker: maker).rank(candidates, limit: limit)
    }

    /// The sample of whose bytes most candidates are made, and those that are alike to it at the call, itself among them; `nil` where none
    /// holds its caller's address.
    ///
    /// - Parameter samples: the oldest first.
    public static func reference(of samples: [Sample]) -> (sample: Int, alike: [Int])? {
        let usable = samples.indices.filter { CandidateMaker.caller(of: samples[$0]) != nil }
        guard !usable.isEmpty else { return nil }
        let alignment = Alignment(usable.map { samples[$0] }, callers: usable.compactMap { CandidateMaker.caller(of: samples[$0]) })
        return (usable[alignment.reference], alignment.members.map { usable[$0] })
    }

    /// How many rare windows are offered: enough that the proof finds another if the nearest fails.
    private static let maxRareWindows = 6
}
