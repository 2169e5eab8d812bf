// SPDX-License-Identifier: Apache-2.0

/// How a signature was made: for people, and to choose between signatures.
public struct Provenance: Hashable, Sendable, Codable {
    /// The part of the samples that a signature is made of.
    public enum Strategy: String, Hashable, Sendable, Codable, CaseIterable {
        /// The bytes that end at the caller's address, unchanged.
        case callerWindow = "caller-window"
        /// A window whose addresses and per-victim constants are masked.
        case maskedWindow = "masked-window"
        /// A window elsewhere in the code, whose bytes the goodware index proves absent.
        case rareWindow = "rare-window"
        /// The tokens that several samples have in common, in a fixed order.
        case tokenSequence = "token-sequence"
        /// The tokens that several samples have in common, in different orders.
        case conjunction
    }

    public var strategy: Strategy
    /// The number of samples that it was made of.
    public var samples: Int
    /// The reasons for choosing these bytes, for a person, the strongest first.
    public var reasons: [String]

    public init(strategy: Strategy, samples: Int, reasons: [String]) {
        self.strategy = strategy
        self.samples = samples
        self.reasons = reasons
    }
}
