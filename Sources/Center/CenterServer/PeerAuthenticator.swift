// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import NIOSSL
import SecureChannel
import Synchronization

/// Establishes who is at the other end of a connection. A peer without a certificate, or with one that is foreign,
/// out of date or revoked, is refused; so is a peer whose status cannot be established.
final class PeerAuthenticator: Sendable {
    private let authority: CertificateAuthority
    private let ledger: any EnrolmentLedger
    private let now: @Sendable () -> Int64

    /// Certificates whose chain has been verified, by their DER, so that the chain is verified once and not for each
    /// request. Dates and revocation are checked every time.
    private let verified = Mutex<[[UInt8]: PeerCertificate]>([:])
    /// Beyond it the cache starts again from nothing: it holds some 1 KiB a certificate.
    private static let maxVerified = 4096

    init(authority: CertificateAuthority, ledger: any EnrolmentLedger, now: @escaping @Sendable () -> Int64) {
        self.authority = authority
        self.ledger = ledger
        self.now = now
    }

    /// - Throws: `certificate-required`, `certificate-malformed`, `certificate-foreign`, `certificate-expired`,
    ///   `certificate-not-yet-valid`, `revoked`, and what the ledger throws.
    func identify(_ channel: any Channel) async throws -> Identity {
        guard let identity = try await identifyIfShown(channel) else { throw ServerErrors.certificateRequired }
        return identity
    }

    /// As ``identify(_:)``, but `nil` for a peer that shows no certificate.
    ///
    /// - Parameter graceMilliseconds: for how long after its end the certificate still counts.
    func identifyIfShown(_ channel: any Channel, graceMilliseconds: Int64 = 0) async throws -> Identity? {
        guard let certificate = try await channel.nioSSL_peerCertificate().get() else { return nil }
        let der = try certificate.toDERBytes()
        let nowMilliseconds = now()
        let peer: PeerCertificate
        if let known = verified.withLock({ $0[der] }) {
            try known.requireInForce(nowMilliseconds: nowMilliseconds, graceMilliseconds: graceMilliseconds)
            peer = known
        } else {
            peer = try await authority.verify(
                certificateDER: der, nowMilliseconds: nowMilliseconds, graceMilliseconds: graceMilliseconds)
            verified.withLock { verified in
                if verified.count >= Self.maxVerified { verified.removeAll() }
                verified[der] = peer
            }
        }
        guard try await !ledger.isRevoked(peer.identity, issuedMilliseconds: peer.issuedMilliseconds) else {
            throw ServerErrors.revoked(peer.identity)
        }
        return peer.identity
    }

    /// As ``identify(_:)``, for a peer that asks for a new certificate. One that was away when its own ended still gets it.
    ///
    /// - Throws: `role-not-allowed` also.
    func identifyForRenewal(_ channel: any Channel, graceMilliseconds: Int64) async throws -> Identity {
        guard let identity = try await identifyIfShown(channel, graceMilliseconds: graceMilliseconds) else {
            throw ServerErrors.certificateRequired
        }
        let roles: Set<Identity.Role> = [.host, .localCenter]
        guard roles.contains(identity.role) else { throw ServerErrors.roleNotAllowed(identity) }
        return identity
    }
}
