public import Signatures

/// Streams of the network that are held benign: what a signature must not match, and against which the rarity of
/// tokens is counted.
public struct BenignPool: Sendable {
    public var streams: [[UInt8]]

    public init(streams: [[UInt8]]) {
        self.streams = streams
    }
}

/// What several samples have in common.
public struct TokenSequence: Hashable, Sendable {
    /// The tokens with their gaps, as a sequence or a conjunction.
    public var tokens: [Signature.Token]
    public var arrangement: Signature.Arrangement
    /// The samples that match, by index.
    public var covered: [Int]
    /// Common to the covered samples, too, but not needed: where an attacker can plant a red herring.
    public var optional: [Signature.Token]
    /// Why these tokens, for a person.
    public var reasons: [String]

    public init(
        tokens: [Signature.Token], arrangement: Signature.Arrangement, covered: [Int], optional: [Signature.Token] = [],
        reasons: [String]
    ) {
        self.tokens = tokens
        self.arrangement = arrangement
        self.covered = covered
        self.optional = optional
        self.reasons = reasons
    }
}

/// Token sequences from many samples.
public enum TokenSequences {
    /// Finds what samples have in common, the best first. Several are a disjunction: each alone is a signature, and
    /// they share no token, so that one whose tokens turn out to be red herrings can be dropped.
    ///
    /// - Parameters:
    ///   - samples: at least two.
    ///   - noiseShare: the largest share of samples, 0 to 0.8, that may have nothing to do with the attack.
    ///   - benign: no result matches any of its streams.
    ///   - isGoodware: whether a token is known from goodware, so that it brings no evidence.
    public static func make(
        of samples: [[UInt8]], noiseShare: Double, benign: BenignPool, isGoodware: (([UInt8]) -> Bool)? = nil
    ) -> [TokenSequence] { fatalError("contract") }
}
