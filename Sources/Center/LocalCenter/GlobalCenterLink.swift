// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import SecureChannel
public import Signatures

/// The interface to the global center.
public protocol GlobalCenterLink: Sendable {
    /// Sends a packet. The receipt says that the global center has stored it.
    func forward(_ forward: ForwardedPacket) async throws(EpitopeError) -> Receipt
    /// Sends an update of this site. The receipt says that the global center has stored it.
    func publish(_ update: SignatureUpdate) async throws(EpitopeError) -> Receipt
    /// The updates after a sequence number, oldest first; waits for one for at most `waitSeconds`, then returns none.
    func updates(after sequence: Int64, waitSeconds: Int) async throws(EpitopeError) -> [FeedEntry]
}

/// The link through the secure channel.
extension CenterClient: GlobalCenterLink {}
/// The link by the identity that is stored, for as long as the center runs.
extension EnrolledClient: GlobalCenterLink {}
