// SPDX-License-Identifier: Apache-2.0

internal import CenterStore
public import EpitopeModel
internal import PacketCoding
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

extension EpitopeError {
    /// Whether a center's refusal is of the message itself: sent again, it would be refused again. Every other error
    /// may pass (a network, a full disk, a certificate that is renewed), and the message is kept.
    var isRefusalOfMessage: Bool {
        switch code {
        case .packetTooLarge, .packetMalformed, .packetVersionUnknown, .callerOutsideCode, .signatureMalformed,
            .identityMismatch, .requestMalformed, .requestTooLarge:
            true
        default: false
        }
    }
}
