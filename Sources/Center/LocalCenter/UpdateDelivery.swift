// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Rendering

/// The seam to an intrusion detection system.
public protocol UpdateDelivery: Sendable {
    /// Makes exactly these updates the rules in force, and returns when the IDS has confirmed that. A rule that the
    /// IDS won't have is left out (its last good revision stays), and the others go live.
    ///
    /// Delivering the same rules again must be harmless: after a restart a center does so when it doesn't know how
    /// the last attempt ended.
    ///
    /// - Parameter updates: sorted by sid.
    /// - Throws: when the IDS is stopped, busy or out of reach. The rules that were in force stay so, and the
    ///   delivery is tried again.
    func deliver(_ updates: [RuleAssignment]) async throws(EpitopeError) -> DeliveryConfirmation
}

/// What an IDS confirmed.
public struct DeliveryConfirmation: Hashable, Sendable {
    /// The rules that it read and won't have, by sid: trying them again is in vain.
    public var refused: [UInt32: EpitopeError]
    /// What was confirmed and how long it took, for a person.
    public var detail: String

    public init(refused: [UInt32: EpitopeError] = [:], detail: String) {
        self.refused = refused
        self.detail = detail
    }
}
