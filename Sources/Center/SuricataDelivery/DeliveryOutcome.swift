// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What Suricata confirmed after a delivery.
public struct DeliveryOutcome: Hashable, Sendable {
    /// A rule that did not go live, and why.
    public struct Refused: Hashable, Sendable {
        public var sid: UInt32
        /// `suricata-refused` with Suricata's reason, or why the rule could not be written at all (`rule-too-long`,
        /// `signature-unrenderable`, `sid-out-of-range`).
        public var error: EpitopeError
    }

    /// When the rules were confirmed to be live, in milliseconds since 1970-01-01T00:00:00Z.
    public var liveSinceMilliseconds: Int64
    /// How long Suricata's reload took, in milliseconds; of several (a rule was refused) the last.
    public var reloadMilliseconds: Double
    /// The whole delivery, all reloads included, in milliseconds.
    public var totalMilliseconds: Double
    /// All rules that Suricata has loaded, other files' too.
    public var rulesLoaded: Int
    /// The numbers of Epitope's rules that are live, sorted. Where a new revision was refused and the last good one
    /// stays, its number is here and among ``refused``.
    public var live: [UInt32]
    public var refused: [Refused]
}
