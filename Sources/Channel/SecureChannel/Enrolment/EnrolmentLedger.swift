// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What the holder of a one-time enrolment token may enrol as.
public struct EnrolmentGrant: Hashable, Sendable, Codable {
    public var identity: Identity
    /// When the token expires, in milliseconds since 1970-01-01T00:00:00Z.
    public var expiresMilliseconds: Int64

    public init(identity: Identity, expiresMilliseconds: Int64) {
        self.identity = identity
        self.expiresMilliseconds = expiresMilliseconds
    }

    /// Checks that the token was made for who means to use it.
    ///
    /// - Throws: `token-of-another-role`.
    public func check(is role: Identity.Role?) throws(EpitopeError) {
        guard let role, role != identity.role else { return }
        throw EpitopeError(
            .tokenOfAnotherRole,
            "the enrolment token is for \(identity.role.rawValue) \(identity.name), and was to enrol a \(role.rawValue); it can still be used",
            remedy: identity.role == .host
                ? "enrol that host with it (`epitope enroll`); a site's token is made with `epitope global-center token --site NAME`"
                : "link that site's local center with it (`epitope local-center link`); a host's token is made with `token --host NAME`")
    }
}

/// A center's durable record of enrolment tokens and revocations.
public protocol EnrolmentLedger: Sendable {
    /// Records a token by the SHA-256 of its secret; the secret itself is never stored.
    func addToken(secretHash: [UInt8], grant: EnrolmentGrant) async throws

    /// What a token is good for, as it is now: it is not redeemed.
    ///
    /// - Parameter role: the role that the holder means to enrol as; `nil` where it did not say.
    /// - Throws: as ``redeemToken(secretHash:as:nowMilliseconds:)``.
    func grant(ofToken secretHash: [UInt8], as role: Identity.Role?, nowMilliseconds: Int64) async throws -> EnrolmentGrant

    /// Redeems a token: marks it used, in one durable step, and returns its grant.
    ///
    /// - Parameter role: the role that the holder means to enrol as; `nil` where it did not say.
    /// - Throws: `token-unknown`, `token-used`, `token-expired`, or `token-of-another-role`, by ``EnrolmentGrant/check(is:)``.
    func redeemToken(secretHash: [UInt8], as role: Identity.Role?, nowMilliseconds: Int64) async throws -> EnrolmentGrant

    /// Notes, in one durable step, that the identity gets a new certificate for an old one, unless that was revoked meanwhile.
    ///
    /// - Parameter issuedMilliseconds: when the old one was issued.
    /// - Returns: `false` where it was revoked, and nothing is noted.
    func noteRenewal(of identity: Identity, issuedMilliseconds: Int64) async throws -> Bool

    /// Revokes every certificate that was issued to the identity before now.
    ///
    /// - Parameter nowMilliseconds: read in the step that revokes: a certificate that was issued while that waited is revoked, too.
    func revoke(_ identity: Identity, nowMilliseconds: @autoclosure @escaping @Sendable () -> Int64) async throws

    /// Whether a certificate issued to the identity at that time has been revoked since.
    func isRevoked(_ identity: Identity, issuedMilliseconds: Int64) async throws -> Bool
}
