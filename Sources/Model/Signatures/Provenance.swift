// SPDX-License-Identifier: Apache-2.0

/// How a signature was made, for people and for the choice between signatures.
public struct Provenance: Hashable, Sendable, Codable {
    /// What a signature is made of (DESIGN.md, "Signatures").
    public enum Strategy: String, Hashable, Sendable, Codable, CaseIterable {
        /// The bytes that end at the caller's address, as they are.
        case callerWindow = "caller-window"
        /// A window whose addresses and per-victim constants are masked.
        case maskedWindow = "masked-window"
        /// A window elsewhere in the code, whose bytes the goodware index proves absent.
        case rareWindow = "rare-window"
        /// What several samples have in common, in order.
        case tokenSequence = "token-sequence"
        /// What several samples have in common, in no stable order.
        case conjunction
    }

    public var strategy: Strategy
    /// How many samples it was made of.
    public var samples: Int
    /// Why these bytes, for a person, the strongest reason first.
    public var reasons: [String]

    public init(strategy: Strategy, samples: Int, reasons: [String]) {
        self.strategy = strategy
        self.samples = samples
        self.reasons = reasons
    }
}
