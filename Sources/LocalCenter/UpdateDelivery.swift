public import CenterStore
public import EpitopeModel

/// The seam to an intrusion detection system.
public protocol UpdateDelivery: Sendable {
    /// Makes exactly these updates the rules in force, and returns when the IDS has confirmed that.
    ///
    /// Delivering the same rules again must be harmless: after a restart a center does so when it doesn't know how
    /// the last attempt ended.
    ///
    /// - Parameter updates: sorted by sid.
    /// - Returns: what the IDS confirmed, for a person.
    /// - Throws: ``DeliveryFailure``; the rules that were in force stay so.
    func deliver(_ updates: [ActiveUpdate]) async throws(DeliveryFailure) -> String
}

/// Why rules did not go live.
public enum DeliveryFailure: Error, Hashable, Sendable {
    /// The IDS read the rules and won't have them: trying again is in vain.
    case refused(EpitopeError)
    /// The IDS is stopped, busy or out of reach: the delivery is tried again.
    case unavailable(EpitopeError)
}
