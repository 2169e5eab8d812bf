import EpitopeModel
import SecureChannel

/// Issues certificates: for a token, and anew to those who have one.
struct Enrolment: Sendable {
    let authority: CertificateAuthority
    let ledger: any EnrolmentLedger
    let validityDays: Int
    let now: @Sendable () -> Int64

    /// Redeems a token. The certificate is for the identity that the token was made for, whatever the request says.
    ///
    /// - Throws: `token-malformed`, `token-unknown`, `token-used`, `token-expired`, `request-malformed`.
    func enroll(_ body: [UInt8]) async throws -> IssuedCertificate {
        guard let request = try? ChannelJSON.decode(EnrolmentRequest.self, from: body) else {
            throw Refusals.malformed("it is no enrolment request")
        }
        let token = try EnrolmentToken(request.token)
        // The token is spent last: a request that can't be used must not cost it.
        try CertificateAuthority.checkRequest(request.request)
        let nowMilliseconds = now()
        let grant = try await ledger.redeemToken(secretHash: token.secretHash, nowMilliseconds: nowMilliseconds)
        return try issue(to: grant.identity, request: request.request, nowMilliseconds: nowMilliseconds)
    }

    /// - Throws: `request-malformed`.
    func renew(_ body: [UInt8], for identity: Identity) throws -> IssuedCertificate {
        guard let request = try? ChannelJSON.decode(RenewalRequest.self, from: body) else {
            throw Refusals.malformed("it is no renewal request")
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
