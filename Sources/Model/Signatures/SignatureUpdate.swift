// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// A verified signature on its way to intrusion detection systems.
public struct SignatureUpdate: Hashable, Sendable, Codable {
    /// Who made the update.
    public enum Origin: Hashable, Sendable, Codable {
        /// This site's own center.
        case site
        /// The global center, with the number that it gave the update.
        case global(sequence: Int64)
    }

    public var signature: Signature
    /// Counts from 1, by rule: a later revision takes the place of the earlier ones, of the same signature or of one that it
    /// makes needless.
    public var revision: Int
    public var origin: Origin
    /// When the update was made, in milliseconds since 1970-01-01T00:00:00Z.
    public var createdMilliseconds: Int64
    /// How long the update is in force after it was made, in days.
    public var lifetimeDays: Int
    public var proof: Proof
    /// What it rests on; `nil` where that isn't known: of an update that came from elsewhere, or from an earlier version.
    public var support: EvidenceSupport?

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

    /// The default lifetime: long enough to outlast a wave of attacks, short enough that rules which are not renewed
    /// disappear.
    public static let defaultLifetimeDays = 90
}
