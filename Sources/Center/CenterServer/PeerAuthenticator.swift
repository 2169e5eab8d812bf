// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import NIOSSL
import SecureChannel
import Synchronization

/// Says who is at the other end of a connection, or refuses: no certificate, one that this center's authority did
/// not issue, one out of date, one revoked. Whatever can't be established is refused.
final class PeerAuthenticator: Sendable {
    private let authority: CertificateAuthority
    private let ledger: any EnrolmentLedger
    private let now: @Sendable () -> Int64

    /// Certificates whose chain has been verified, by their DER: that need not be done again for each request. Dates
    /// and revocation are looked at every time.
    private let verified = Mutex<[[UInt8]: PeerCertificate]>([:])
    private static let mostVerified = 4096

    init(authority: CertificateAuthority, ledger: any EnrolmentLedger, now: @escaping @Sendable () -> Int64) {
        self.authority = authority
        self.ledger = ledger
        self.now = now
    }

    /// - Throws: `certificate-required`, `certificate-malformed`, `certificate-foreign`, `certificate-expired`,
    ///   `revoked`, and what the ledger throws.
    func identify(_ channel: any Channel) async throws -> Identity {
        guard let identity = try await identifyIfShown(channel) else { throw Refusals.certificateRequired }
        return identity
    }

    /// As ``identify(_:)``, but a peer that shows no certificate at all is `nil`.
    func identifyIfShown(_ channel: any Channel) async throws -> Identity? {
        guard let certificate = try await channel.nioSSL_peerCertificate().get() else { return nil }
        let der = try certificate.toDERBytes()
        let nowMilliseconds = now()
        let peer: PeerCertificate
        if let known = verified.withLock({ $0[der] }) {
            try known.requireInForce(nowMilliseconds: nowMilliseconds)
            peer = known
        } else {
            peer = try await authority.verify(certificateDER: der, nowMilliseconds: nowMilliseconds)
            verified.withLock { verified in
                if verified.count >= Self.mostVerified { verified.removeAll() }
                verified[der] = peer
            }
        }
        guard try await !ledger.isRevoked(peer.identity, issuedMilliseconds: peer.issuedMilliseconds) else {
            throw Refusals.revoked(peer.identity)
        }
        return peer.identity
    }

    func identify(_ channel: any Channel, forOneOf roles: Set<Identity.Role>) async throws -> Identity {
        let identity = try await identify(channel)
        guard roles.contains(identity.role) else { throw Refusals.roleNotAllowed(identity) }
        return identity
    }
}
