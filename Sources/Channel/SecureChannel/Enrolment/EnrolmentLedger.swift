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
}

/// A center's durable record of enrolment tokens and revocations.
public protocol EnrolmentLedger: Sendable {
    /// Records a token by the SHA-256 of its secret; the secret itself is never stored.
    func addToken(secretHash: [UInt8], grant: EnrolmentGrant) async throws

    /// Redeems a token: marks it used, in one durable step, and returns its grant.
    ///
    /// - Throws: `token-unknown`, `token-used` or `token-expired`.
    func redeemToken(secretHash: [UInt8], nowMilliseconds: Int64) async throws -> EnrolmentGrant

    /// Revokes every certificate that was issued to the identity before now.
    func revoke(_ identity: Identity, nowMilliseconds: Int64) async throws

    /// Whether a certificate issued to the identity at that time has been revoked since.
    func isRevoked(_ identity: Identity, issuedMilliseconds: Int64) async throws -> Bool
}
