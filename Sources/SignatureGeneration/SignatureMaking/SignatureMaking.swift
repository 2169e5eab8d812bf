// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import GoodwareIndex
public import Signatures
public import TokenSequences

/// One packet of a cluster, as far as a signature can be made of it.
public struct Sample: Hashable, Sendable {
    /// The code, or where only that was sent the caller window with the address that it began at.
    public var code: ExtractedCode
    public var callersAddress: UInt64
    public var architecture: Architecture
    public var context: SignatureContext
    /// Offsets in the code that were seen on the wire; `nil`: no capture was at hand.
    public var onWire: [Range<Int>]?
    /// Streams held to have carried the attack, where a capture shows them.
    public var carriers: [[UInt8]]

    public init(
        code: ExtractedCode, callersAddress: UInt64, architecture: Architecture, context: SignatureContext,
        onWire: [Range<Int>]? = nil, carriers: [[UInt8]] = []
    ) {
        self.code = code
        self.callersAddress = callersAddress
        self.architecture = architecture
        self.context = context
        self.onWire = onWire
        self.carriers = carriers
    }
}

/// Makes the candidates for a cluster's signatures and ranks them.
public enum SignatureMaking {
    /// The candidates, the best first; each says in its provenance why these bytes, and why it stands where it does.
    /// Nothing is proven yet.
    ///
    /// - Parameters:
    ///   - samples: at least one, the oldest first.
    ///   - goodware: `nil`: none is at hand, and no candidate is preferred for its rarity.
    ///   - most: how many candidates are wanted.
    public static func candidates(
        for samples: [Sample], goodware: GoodwareIndex?, benign: BenignPool, noiseShare: Double = 0.5, most: Int = 16
    ) -> [Signature] {
        ranked(for: samples, goodware: goodware, benign: benign, noiseShare: noiseShare, most: most).map(\.signature)
    }

    /// The same, each with the score that it was ranked by.
    public static func ranked(
        for samples: [Sample], goodware: GoodwareIndex?, benign: BenignPool, noiseShare: Double = 0.5, most: Int = 16
    ) -> [RankedCandidate] {
        ranked(for: samples, rarity: goodware.map { GoodwareRarity($0) }, benign: benign, noiseShare: noiseShare, most: most)
    }

    static func ranked(
        for samples: [Sample], rarity: GoodwareRarity?, benign: BenignPool, noiseShare: Double = 0.5, most: Int = 16,
        common: CandidateMaker.Common = { TokenSequences.make(of: $0, noiseShare: $1, benign: $2, isGoodware: $3) }
    ) -> [RankedCandidate] {
        guard most > 0, var maker = CandidateMaker(samples: samples, rarity: rarity) else { return [] }
        var candidates = [maker.callerWindow(), maker.maskedWindow()].compactMap { $0 }
        candidates += maker.rareWindows(most: Self.mostRareWindows)
        candidates += maker.sequences(benign: benign, noiseShare: noiseShare, common: common)
        return Ranking(maker: maker).rank(candidates, most: most)
    }

    /// How many rare windows are offered: enough that the proof finds one where the nearest fails.
    private static let mostRareWindows = 6
}
