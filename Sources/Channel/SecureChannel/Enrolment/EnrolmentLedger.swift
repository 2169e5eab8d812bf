// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What the holder of an enrolment token may enrol as.
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

    /// Records a token for several hosts, likewise.
    func addToken(secretHash: [UInt8], group: GroupGrant) async throws

    /// What a token is good for, as it is now: it is not redeemed.
    ///
    /// - Throws: as ``redeemToken(secretHash:by:issuedMilliseconds:nowMilliseconds:)``.
    func grant(ofToken secretHash: [UInt8], to applicant: EnrolmentApplicant, nowMilliseconds: Int64) async throws -> EnrolmentGrant

    /// Redeems a token: marks it used, or counts the use, in one durable step, and returns what it granted.
    ///
    /// - Parameter issuedMilliseconds: when the certificate was issued that it is redeemed for.
    /// - Throws: `token-unknown`, `token-revoked`, `token-used`, `token-expired`, or `token-of-another-role`, by
    ///   ``EnrolmentGrant/check(is:)``; for one of several hosts what ``GroupGrant/identity(of:)`` throws, and `name-taken` for the name
    ///   of a host that is known: enrolled, seen, revoked, or with a token of its own.
    func redeemToken(
        secretHash: [UInt8], by applicant: EnrolmentApplicant, issuedMilliseconds: Int64, nowMilliseconds: Int64
    ) async throws -> EnrolmentGrant

    /// Notes, in one durable step, that the identity gets a new certificate for an old one, unless that was revoked meanwhile.
    ///
    /// - Parameters:
    ///   - oldMilliseconds: when the old one was issued.
    ///   - newMilliseconds: when the new one was.
    /// - Returns: `false` where the old one was revoked, and nothing is noted.
    func noteRenewal(of identity: Identity, from oldMilliseconds: Int64, to newMilliseconds: Int64) async throws -> Bool

    /// Notes that the identity shows a certificate of this center's authority that is in force. A ledger that was lost, or put back from
    /// a backup, has no record of some.
    func noteCertificate(of identity: Identity, issuedMilliseconds: Int64) async throws

    /// Revokes every certificate that was issued to the identity so far, whatever the clock said when it was.
    ///
    /// - Parameter nowMilliseconds: read in the step that revokes: a certificate that was issued while that waited is revoked, too.
    func revoke(_ identity: Identity, nowMilliseconds: @autoclosure @escaping @Sendable () -> Int64) async throws

    /// Up to which time of issue the identity's certificates are revoked, in milliseconds since 1970; `nil`: none ever was.
    func revokedUntil(_ identity: Identity) async throws -> Int64?

    /// The fingerprints, in hexadecimal digits, of the center's authorities that were retired, on whichever of its machines.
    func retiredAuthorities() async throws -> Set<String>
}

extension EnrolmentLedger {
    public func noteCertificate(of identity: Identity, issuedMilliseconds: Int64) async throws {}
    public func retiredAuthorities() async throws -> Set<String> { [] }

    /// Whether a certificate issued to the identity at that time has been revoked since. One of the very millisecond of the
    /// revocation counts as revoked.
    public func isRevoked(_ identity: Identity, issuedMilliseconds: Int64) async throws -> Bool {
        try await revokedUntil(identity).map { $0 >= issuedMilliseconds } ?? false
    }
}
