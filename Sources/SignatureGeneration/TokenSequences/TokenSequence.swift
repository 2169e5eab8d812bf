// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// The tokens that several samples have in common.
public struct TokenSequence: Hashable, Sendable {
    /// The tokens with their gaps, as a sequence or a conjunction.
    public var tokens: [Signature.Token]
    public var arrangement: Signature.Arrangement
    /// The samples that match, by index.
    public var covered: [Int]
    /// Tokens that the covered samples have in common, but that are not needed. An attacker may have planted them.
    public var optional: [Signature.Token]
    /// The reasons for choosing these tokens, for a person.
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
