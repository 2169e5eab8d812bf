// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import NIOSSL
import SecureChannel
import Synchronization

/// Establishes who is at the other end of a connection. A peer without a certificate, or with one that is foreign,
/// out of date or revoked, is refused; so is a peer whose status cannot be established.
final class PeerAuthenticator: Sendable {
    private let authorities: AuthorityBook
    private let ledger: any EnrolmentLedger
    private let places: ConnectionPlaces
    private let clocks: [@Sendable () -> Int64]

    /// Certificates whose chain has been verified, by their DER, so that the chain is verified once and not for each
    /// request. Dates and revocation are checked every time.
    private let verified = Mutex(VerifiedCertificates())

    /// - Parameter clocks: by which certificates are judged; one that is in force by any of them is. There is more than one where the
    ///   machine's clock may have jumped.
    init(
        authorities: AuthorityBook, ledger: any EnrolmentLedger, places: ConnectionPlaces, clocks: [@Sendable () -> Int64]
    ) {
        self.authorities = authorities
        self.ledger = ledger
        self.places = places
        self.clocks = clocks
    }

    /// - Throws: `certificate-required`, `certificate-malformed`, `certificate-foreign`, `certificate-expired`,
    ///   `certificate-not-yet-valid`, `revoked`, and what the ledger throws.
    func identify(_ channel: any Channel) async throws -> PeerCertificate {
        guard let peer = try await identifyIfShown(channel) else { throw ServerErrors.certificateRequired }
        return peer
    }

    /// Checks again, before what a request asked for is done, that its sender was not revoked since, nor its authority retired: a request
    /// may take long, and a connection lives on.
    ///
    /// - Throws: `revoked`, `certificate-foreign`, and what the ledger throws.
    func requireNotRevoked(_ peer: PeerCertificate) async throws {
        try authorities.requireAccepted(peer)
        guard try await !ledger.isRevoked(peer.identity, issuedMilliseconds: peer.issuedMilliseconds) else {
            throw PeerCertificate.revoked(peer.identity)
        }
    }

    /// As ``identify(_:)``, but `nil` for a peer that shows no certificate.
    ///
    /// - Parameter graceMilliseconds: for how long after its end the certificate still counts.
    func identifyIfShown(_ channel: any Channel, graceMilliseconds: Int64 = 0) async throws -> PeerCertificate? {
        let peer: PeerCertificate
        let isNew: Bool
        if let known = places.peer(of: channel) {
            (peer, isNew) = (known, false)
            try await inForce { clock in
                try known.requireInForce(nowMilliseconds: clock, graceMilliseconds: graceMilliseconds)
            }
        } else {
            guard let certificate = try await channel.nioSSL_peerCertificate().get() else { return nil }
            let der = try certificate.toDERBytes()
            let known = verified.withLock { $0.find(der) }
            isNew = known == nil
            peer = try await inForce { clock in
                try await self.peer(showing: der, known: known, at: clock, graceMilliseconds: graceMilliseconds)
            }
        }
        try await requireNotRevoked(peer)
        // Once a certificate. A disk that is full must turn nobody away.
        if isNew { try? await ledger.noteCertificate(of: peer.identity, issuedMilliseconds: peer.issuedMilliseconds) }
        places.identified(channel, as: peer)
        return peer
    }

    /// What a check by any of the clocks gives.
    private func inForce<Value>(_ check: (_ nowMilliseconds: Int64) async throws -> Value) async throws -> Value {
        var refusal: (any Error)?
        for clock in clocks {
            do {
                return try await check(clock())
            } catch {
                guard Self.isOfDates(error) else { throw error }
                // The first clock is the machine's own, which a person can compare.
                if refusal == nil { refusal = error }
            }
        }
        throw refusal ?? ServerErrors.certificateRequired
    }

    private static func isOfDates(_ error: any Error) -> Bool {
        let code = (error as? EpitopeError)?.code
        return code == .certificateExpired || code == .certificateNotYetValid
    }

    /// - Parameter known: the certificate, if its chain was verified before.
    private func peer(
        showing der: [UInt8], known: PeerCertificate?, at nowMilliseconds: Int64, graceMilliseconds: Int64
    ) async throws -> PeerCertificate {
        if let known {
            try known.requireInForce(nowMilliseconds: nowMilliseconds, graceMilliseconds: graceMilliseconds)
            return known
        }
        let peer = try await authorities.authorities.verify(
            certificateDER: der, nowMilliseconds: nowMilliseconds, graceMilliseconds: graceMilliseconds)
        verified.withLock { $0.add(peer, der) }
        return peer
    }

    /// As ``identify(_:)``, for a peer that asks for a new certificate. One that was away when its own ended still gets it.
    ///
    /// - Throws: `role-not-allowed` also.
    func identifyForRenewal(_ channel: any Channel, graceMilliseconds: Int64) async throws -> PeerCertificate {
        guard let peer = try await identifyIfShown(channel, graceMilliseconds: graceMilliseconds) else {
            throw ServerErrors.certificateRequired
        }
        let roles: Set<Identity.Role> = [.host, .localCenter]
        guard roles.contains(peer.identity.role) else { throw ServerErrors.roleNotAllowed(peer.identity) }
        return peer
    }
}

/// Verified certificates by their DER, those that were of use lately: some 1 KiB each.
struct VerifiedCertificates {
    /// When so many came since the last time, those that were not of use since then are forgotten.
    private let max: Int
    private var recent: [[UInt8]: PeerCertificate] = [:]
    private var earlier: [[UInt8]: PeerCertificate] = [:]

    init(max: Int = 32_768) { self.max = max }

    var count: Int { recent.count + earlier.count }

    mutating func find(_ der: [UInt8]) -> PeerCertificate? {
        if let known = recent[der] { return known }
        guard let known = earlier.removeValue(forKey: der) else { return nil }
        add(known, der)
        return known
    }

    mutating func add(_ peer: PeerCertificate, _ der: [UInt8]) {
        if recent.count >= max { (recent, earlier) = ([:], recent) }
        recent[der] = peer
    }
}
