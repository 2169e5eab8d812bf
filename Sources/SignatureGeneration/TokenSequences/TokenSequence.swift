// SPDX-License-Identifier: Apache-2.0

public import Signatures

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
