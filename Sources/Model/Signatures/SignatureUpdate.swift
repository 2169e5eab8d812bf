// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// A verified signature on its way to intrusion detection systems.
public struct SignatureUpdate: Hashable, Sendable, Codable {
    /// Who made the update.
    public enum Origin: Hashable, Sendable, Codable {
        /// This site's own center.
        case site
        /// The global center, whose numbering of updates this is.
        case global(sequence: Int64)
    }

    public var signature: Signature
    /// Counts from 1; a later revision of the same signature replaces the earlier.
    public var revision: Int
    public var origin: Origin
    /// When it was made, in milliseconds since 1970-01-01T00:00:00Z.
    public var createdMilliseconds: Int64
    /// How long it is in force, in days, counted from its making.
    public var lifetimeDays: Int
    public var proof: Proof

    public init(
        signature: Signature, revision: Int, origin: Origin, createdMilliseconds: Int64, lifetimeDays: Int, proof: Proof
    ) {
        self.signature = signature
        self.revision = revision
        self.origin = origin
        self.createdMilliseconds = createdMilliseconds
        self.lifetimeDays = lifetimeDays
        self.proof = proof
    }

    /// The default life time (DESIGN.md leaves it open): long enough to outlast a wave, short enough that a rule
    /// that nobody renews does not stay for ever.
    public static let defaultLifetimeDays = 90
}
