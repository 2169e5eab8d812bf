// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import SecureChannel

/// Issues certificates: in exchange for a token, and new ones to holders of a valid certificate.
struct Enrolment: Sendable {
    let scope: CenterScope
    let accepts: Set<CenterEndpoint>
    let authority: AuthorityCertificate
    /// Has the authority's key.
    let issuer: any CertificateIssuing
    let ledger: any EnrolmentLedger
    let validityDays: Int
    /// For how long after its end a certificate that is not revoked may be renewed.
    let renewalGraceMilliseconds: Int64
    let now: @Sendable () -> Int64
    let rations: SenderRations

    /// Redeems a token. The certificate is for the identity that the token was made for, whatever the request says.
    ///
    /// - Throws: `token-malformed`, `token-unknown`, `token-used`, `token-expired`, `token-of-another-role`,
    ///   `center-of-another-kind`, `not-served-here`, `request-malformed`, what the issuer throws: then the token stays good.
    func enroll(_ body: [UInt8]) async throws -> IssuedCertificate {
        guard let request = try? ChannelJSON.decode(EnrolmentRequest.self, from: body) else {
            throw ServerErrors.malformed("it is not an enrolment request")
        }
        let token = try EnrolmentToken(request.token)
        // The token is redeemed last, so that a malformed request, or one that was meant for another center, does not use it up.
        let key = try CertificateOrder.publicKey(ofRequest: request.request)
        try checkPurpose(of: request)
        let nowMilliseconds = now()
        let grant = try await ledger.grant(ofToken: token.secretHash, as: request.role, nowMilliseconds: nowMilliseconds)
        let from = try await issuingTime(of: grant.identity, nowMilliseconds: nowMilliseconds)
        let issued = try await issue(.enrolment, to: grant.identity, key: key, nowMilliseconds: from)
        // Nor does a key that is away. Of several who use one token at once, one gets a certificate: what was signed for the others
        // goes nowhere.
        let redeemed = try await ledger.redeemToken(
            secretHash: token.secretHash, as: request.role, nowMilliseconds: nowMilliseconds)
        guard redeemed.identity == grant.identity else { throw ServerErrors.malformed("its token was replaced meanwhile") }
        return issued
    }

    /// Checks that this is the center that the sender means, and that it has something to do here.
    private func checkPurpose(of request: EnrolmentRequest) throws(EpitopeError) {
        if let center = request.center, center != scope { throw ServerErrors.anotherKind(scope, meant: center, request.role) }
        guard let role = request.role, !accepts.contains(where: { $0.roles.contains(role) }) else { return }
        throw ServerErrors.notServedHere
    }

    /// A certificate of the very millisecond of a revocation counts as issued before it: it is issued as of the next.
    private func issuingTime(of identity: Identity, nowMilliseconds: Int64) async throws -> Int64 {
        guard try await ledger.isRevoked(identity, issuedMilliseconds: nowMilliseconds),
            try await !ledger.isRevoked(identity, issuedMilliseconds: nowMilliseconds + 1)
        else { return nowMilliseconds }
        return nowMilliseconds + 1
    }

    /// - Throws: `request-malformed`, `sender-too-often`, `revoked`, what the issuer throws.
    func renew(_ body: [UInt8], for peer: PeerCertificate) async throws -> IssuedCertificate {
        guard let request = try? ChannelJSON.decode(RenewalRequest.self, from: body) else {
            throw ServerErrors.malformed("it is not a renewal request")
        }
        let (identity, key) = (peer.identity, try CertificateOrder.publicKey(ofRequest: request.request))
        try rations.takeRenewal(identity, nowMilliseconds: now())
        do {
            let issued = try await issue(.renewal, to: identity, key: key, nowMilliseconds: now())
            // No certificate goes out that the trail doesn't have, and none for one that was revoked while it was signed.
            guard try await ledger.noteRenewal(of: identity, issuedMilliseconds: peer.issuedMilliseconds) else {
                throw ServerErrors.revoked(identity)
            }
            return issued
        } catch {
            rations.giveBackRenewal(identity, nowMilliseconds: now())
            throw error
        }
    }

    private func issue(
        _ purpose: CertificateOrder.Purpose, to identity: Identity, key: Data, nowMilliseconds: Int64
    ) async throws(EpitopeError) -> IssuedCertificate {
        let order = CertificateOrder(
            purpose, for: identity, publicKey: key, validityDays: validityDays, issuedMilliseconds: nowMilliseconds)
        return IssuedCertificate(certificate: try await issuer.issue(order), authority: authority.pem)
    }
}
