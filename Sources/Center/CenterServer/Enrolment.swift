// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel

/// Issues certificates: in exchange for a token, and new ones to holders of a valid certificate.
struct Enrolment: Sendable {
    let authority: CertificateAuthority
    let ledger: any EnrolmentLedger
    let validityDays: Int
    /// For how long after its end a certificate that is not revoked may be renewed.
    let renewalGraceMilliseconds: Int64
    let now: @Sendable () -> Int64

    /// Redeems a token. The certificate is for the identity that the token was made for, whatever the request says.
    ///
    /// - Throws: `token-malformed`, `token-unknown`, `token-used`, `token-expired`, `request-malformed`.
    func enroll(_ body: [UInt8]) async throws -> IssuedCertificate {
        guard let request = try? ChannelJSON.decode(EnrolmentRequest.self, from: body) else {
            throw ServerErrors.malformed("it is not an enrolment request")
        }
        let token = try EnrolmentToken(request.token)
        // The token is redeemed last, so that a malformed request does not use it up.
        try CertificateAuthority.checkRequest(request.request)
        let nowMilliseconds = now()
        let grant = try await ledger.redeemToken(secretHash: token.secretHash, nowMilliseconds: nowMilliseconds)
        let from = try await issuingTime(of: grant.identity, nowMilliseconds: nowMilliseconds)
        return try issue(to: grant.identity, request: request.request, nowMilliseconds: from)
    }

    /// A certificate of the very millisecond of a revocation counts as issued before it: it is issued as of the next.
    private func issuingTime(of identity: Identity, nowMilliseconds: Int64) async throws -> Int64 {
        guard try await ledger.isRevoked(identity, issuedMilliseconds: nowMilliseconds),
            try await !ledger.isRevoked(identity, issuedMilliseconds: nowMilliseconds + 1)
        else { return nowMilliseconds }
        return nowMilliseconds + 1
    }

    /// - Throws: `request-malformed`.
    func renew(_ body: [UInt8], for identity: Identity) throws -> IssuedCertificate {
        guard let request = try? ChannelJSON.decode(RenewalRequest.self, from: body) else {
            throw ServerErrors.malformed("it is not a renewal request")
        }
        return try issue(to: identity, request: request.request, nowMilliseconds: now())
    }

    private func issue(
        to identity: Identity, request: String, nowMilliseconds: Int64
    ) throws -> IssuedCertificate {
        IssuedCertificate(
            certificate: try authority.issue(
                to: identity, request: request, validityDays: validityDays, nowMilliseconds: nowMilliseconds),
            authority: authority.certificatePEM)
    }
}
