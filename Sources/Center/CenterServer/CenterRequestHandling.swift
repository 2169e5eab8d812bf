// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

/// What a center does with what comes in over its HTTPS face. The face has checked the sender's certificate and role,
/// that a packet doesn't claim another's identity, and every bound of the message.
///
/// A method returns when the message is committed to the center's store; only then does the sender get its receipt.
/// An ``EpitopeError`` that a method throws goes to the sender as it is; of any other error the sender learns an id
/// only, and the center's log the rest.
public protocol CenterRequestHandling: Sendable {
    /// What this center serves. The rest is answered with `not-served-here`.
    var accepts: Set<CenterEndpoint> { get }

    /// Takes in a packet of a host.
    func receive(_ packet: ExtractedPacket, from sender: Identity) async throws -> Receipt

    /// Takes in what a local center forwards.
    func receive(_ forward: ForwardedPacket, from sender: Identity) async throws -> Receipt

    /// Takes in an update that a local center made. The receipt is for the signature's id.
    func receive(_ update: SignatureUpdate, from sender: Identity) async throws -> Receipt

    /// The updates after a sequence number, oldest first. When there are none it waits for one, at most
    /// `waitSeconds` (0 to 60), and then returns none. It heeds cancellation.
    func updates(after sequence: Int64, waitSeconds: Int, for subscriber: Identity) async throws -> [FeedEntry]
}

/// The services of a center, each with its path and the roles that may use it.
public enum CenterEndpoint: String, Hashable, Sendable, Codable, CaseIterable {
    /// Packets from hosts.
    case packets
    /// Packets and signatures that local centers forward.
    case forwards
    /// Updates that local centers give.
    case publishing
    /// Updates that local centers subscribe to.
    case subscriptions

    /// Who may use the service.
    public var roles: Set<Identity.Role> {
        self == .packets ? [.host] : [.localCenter]
    }
}

/// Centers that don't serve other centers need not say how they would.
extension CenterRequestHandling {
    public func receive(_ forward: ForwardedPacket, from sender: Identity) async throws -> Receipt {
        throw Refusals.notServedHere
    }

    public func receive(_ update: SignatureUpdate, from sender: Identity) async throws -> Receipt {
        throw Refusals.notServedHere
    }

    public func updates(
        after sequence: Int64, waitSeconds: Int, for subscriber: Identity
    ) async throws -> [FeedEntry] {
        throw Refusals.notServedHere
    }
}
