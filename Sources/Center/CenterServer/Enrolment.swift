// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import SecureChannel

/// Issues certificates: in exchange for a token, and new ones to holders of a valid certificate.
struct Enrolment: Sendable {
    let scope: CenterScope
    let accepts: Set<CenterEndpoint>
    let authorities: AuthorityBook
    /// Has the authorities' keys.
    let issuer: any CertificateIssuing
    let ledger: any EnrolmentLedger
    let validityDays: Int
    /// For how long after its end a certificate that is not revoked may be renewed.
    let renewalGraceMilliseconds: Int64
    let now: @Sendable () -> Int64
    let rations: SenderRations
    let turns = EnrolmentTurns()

    /// Redeems a token when its turn comes. The certificate is for the identity that the token was made for, whatever the request says; by
    /// one for several hosts, for a new name of those that it was made for.
    /// Where the task is cancelled before, the token stays good.
    ///
    /// - Parameter address: that the request comes from; `nil`: it isn't known.
    /// - Throws: `token-malformed`, `token-unknown`, `token-revoked`, `token-used`, `token-expired`,
    ///   `token-of-another-role`, `token-of-another-name`, `token-of-another-network`, `name-invalid`, `name-taken`, `center-of-another-kind`, `not-served-here`, `request-malformed`, `store-busy`, `sender-busy`, what the issuer throws: then the
    ///   token stays good.
    func enroll(_ body: [UInt8], from address: IPAddress?) async throws -> IssuedCertificate {
        guard let request = try? ChannelJSON.decode(EnrolmentRequest.self, from: body) else {
            throw ServerErrors.malformed("it is not an enrolment request")
        }
        let token = try EnrolmentToken(request.token)
        return try await turns.run(of: address.map { IPNetwork.machine(of: $0) }) { try await enroll(request, by: token, from: address) }
    }

    private func enroll(
        _ request: EnrolmentRequest, by token: EnrolmentToken, from address: IPAddress?
    ) async throws -> IssuedCertificate {
        // The token is redeemed last, so that a malformed request, or one that was meant for another center, does not use it up.
        try checkPurpose(of: request)
        let nowMilliseconds = now()
        let applicant = EnrolmentApplicant(role: request.role, name: request.name, address: address)
        let grant = try await ledger.grant(ofToken: token.secretHash, to: applicant, nowMilliseconds: nowMilliseconds)
        // After a look for the token, which costs less than to check a signature: most that is made up ends there.
        let key = try CertificateOrder.publicKey(ofRequest: request.request)
        // Of the current one, which the token pins.
        let authority = try authorities.enrolling()
        let order = try await order(.enrolment, to: grant.identity, key: key, by: authority, nowMilliseconds: nowMilliseconds)
        let issued = try await issue(order, by: authority)
        // Nor does a key that is away. Of several who use one token at once, one gets a certificate: what was signed for the others
        // goes nowhere. So does what was for one who has left meanwhile.
        try Task.checkCancellation()
        let redeemed = try await ledger.redeemToken(
            secretHash: token.secretHash, by: applicant, issuedMilliseconds: order.latestMilliseconds, nowMilliseconds: nowMilliseconds)
        guard redeemed.identity == grant.identity else { throw ServerErrors.malformed("its token was replaced meanwhile") }
        return issued
    }

    /// Checks that this is the center that the sender means, and that it has something to do here.
    private func checkPurpose(of request: EnrolmentRequest) throws(EpitopeError) {
        if let center = request.center, center != scope { throw ServerErrors.anotherKind(scope, meant: center, request.role) }
        guard let role = request.role, !accepts.contains(where: { $0.roles.contains(role) }) else { return }
        throw ServerErrors.notServedHere
    }

    /// - Returns: the new certificate, and which authority it is from.
    /// - Throws: `request-malformed`, `sender-too-often`, `revoked`, what the issuer throws.
    func renew(_ body: [UInt8], for peer: PeerCertificate) async throws -> (IssuedCertificate, AuthorityCertificate) {
        guard let request = try? ChannelJSON.decode(RenewalRequest.self, from: body) else {
            throw ServerErrors.malformed("it is not a renewal request")
        }
        let (identity, key) = (peer.identity, try CertificateOrder.publicKey(ofRequest: request.request))
        try rations.takeRenewal(identity, nowMilliseconds: now())
        do {
            let authority = try authorities.issuing(to: request.trusts ?? [])
            let order = try await order(.renewal, to: identity, key: key, by: authority, nowMilliseconds: now())
            let issued = try await issue(order, by: authority)
            // No certificate goes out that the trail doesn't have, and none for one that was revoked while it was signed.
            guard
                try await ledger.noteRenewal(of: identity, from: peer.issuedMilliseconds, to: order.latestMilliseconds)
            else { throw PeerCertificate.revoked(identity) }
            return (issued, authority)
        } catch {
            rations.giveBackRenewal(identity, nowMilliseconds: now())
            throw error
        }
    }

    /// One that no revocation covers so far: where the clock is behind one, as when it was ahead at an earlier issue, the serial number
    /// says the next moment after that.
    private func order(
        _ purpose: CertificateOrder.Purpose, to identity: Identity, key: Data, by authority: AuthorityCertificate,
        nowMilliseconds: Int64
    ) async throws -> CertificateOrder {
        let revoked = try await ledger.revokedUntil(identity)
        return CertificateOrder(
            purpose, for: identity, publicKey: key, validityDays: validityDays, issuedMilliseconds: nowMilliseconds,
            serialMilliseconds: revoked.flatMap { $0 >= nowMilliseconds ? $0 + 1 : nil }, authority: Hex.encode(authority.fingerprint))
    }

    private func issue(_ order: CertificateOrder, by authority: AuthorityCertificate) async throws(EpitopeError) -> IssuedCertificate {
        IssuedCertificate(certificate: try await issuer.issue(order), authority: authority.pem)
    }
}

extension CertificateOrder {
    /// The time that the certificate's serial number says.
    fileprivate var latestMilliseconds: Int64 { serialMilliseconds ?? issuedMilliseconds }
}
