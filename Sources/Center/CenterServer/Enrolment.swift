// SPDX-License-Identifier: Apache-2.0

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
        let from = try await beyondRevocation(of: grant.identity, nowMilliseconds: nowMilliseconds)
        return try issue(to: grant.identity, request: request.request, nowMilliseconds: from)
    }

    /// A certificate's dates count whole seconds (RFC 5280, 4.1.2.5): one of the very second of a revocation can't be
    /// told from one that was issued before it, and would be turned away for good. Such a one waits for the next second.
    private func beyondRevocation(of identity: Identity, nowMilliseconds: Int64) async throws -> Int64 {
        let second = nowMilliseconds / 1000 * 1000
        guard try await ledger.isRevoked(identity, issuedMilliseconds: second),
            try await !ledger.isRevoked(identity, issuedMilliseconds: second + 1000)
        else { return nowMilliseconds }
        // The token is spent: a wait that is cut short must not cost it.
        try? await Task.sleep(for: .milliseconds(second + 1000 - nowMilliseconds))
        return second + 1000
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
