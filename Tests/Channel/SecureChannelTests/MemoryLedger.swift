// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel

/// A ledger for tests, as long-lived as the test.
actor MemoryLedger: EnrolmentLedger {
    private var grants: [[UInt8]: EnrolmentGrant] = [:]
    private var groups: [[UInt8]: GroupGrant] = [:]
    private var used: Set<[UInt8]> = []
    private var revocations: [Identity: Int64] = [:]
    private var latest: [Identity: Int64] = [:]
    /// Who renewed a certificate.
    private(set) var renewals: [Identity] = []
    /// Fingerprints of authorities that another machine has retired.
    private var retired: Set<String> = []
    /// How often somebody's revocation was asked for.
    private(set) var checks = 0

    func addToken(secretHash: [UInt8], grant: EnrolmentGrant) {
        grants[secretHash] = grant
    }

    func addToken(secretHash: [UInt8], group: GroupGrant) {
        groups[secretHash] = group
    }

    func grant(ofToken secretHash: [UInt8], to applicant: EnrolmentApplicant, nowMilliseconds: Int64) throws -> EnrolmentGrant {
        if let group = groups[secretHash] {
            let identity = try group.identity(of: applicant)
            guard latest[identity] == nil else { throw GroupGrant.nameTaken(identity.name) }
            return EnrolmentGrant(identity: identity, expiresMilliseconds: group.expiresMilliseconds)
        }
        guard let grant = grants[secretHash] else {
            throw EpitopeError(.tokenUnknown, "the token is not known here", remedy: "get a token from this center")
        }
        guard !used.contains(secretHash) else {
            throw EpitopeError(.tokenUsed, "the token was used", remedy: "get a new token")
        }
        guard nowMilliseconds < grant.expiresMilliseconds else {
            throw EpitopeError(.tokenExpired, "the token has expired", remedy: "get a new token")
        }
        try grant.check(is: applicant.role)
        return grant
    }

    func redeemToken(
        secretHash: [UInt8], by applicant: EnrolmentApplicant, issuedMilliseconds: Int64, nowMilliseconds: Int64
    ) throws -> EnrolmentGrant {
        let grant = try grant(ofToken: secretHash, to: applicant, nowMilliseconds: nowMilliseconds)
        if groups[secretHash] == nil { used.insert(secretHash) }
        latest[grant.identity] = max(issuedMilliseconds, latest[grant.identity] ?? 0)
        return grant
    }

    /// What happens while the next renewal is signed.
    private var beforeRenewal: (@Sendable (MemoryLedger) async -> Void)?

    func beforeRenewal(_ body: @escaping @Sendable (MemoryLedger) async -> Void) { beforeRenewal = body }

    func noteRenewal(of identity: Identity, from oldMilliseconds: Int64, to newMilliseconds: Int64) async -> Bool {
        await beforeRenewal?(self)
        if let revoked = revocations[identity], revoked >= oldMilliseconds { return false }
        latest[identity] = max(newMilliseconds, latest[identity] ?? 0)
        renewals.append(identity)
        return true
    }

    func revoke(_ identity: Identity, nowMilliseconds: @autoclosure @escaping @Sendable () -> Int64) {
        revocations[identity] = max(nowMilliseconds(), latest[identity] ?? 0)
    }

    func retire(_ authority: AuthorityCertificate) { retired.insert(Hex.encode(authority.fingerprint)) }

    func retiredAuthorities() -> Set<String> { retired }

    func revokedUntil(_ identity: Identity) -> Int64? {
        checks += 1
        return revocations[identity]
    }
}
