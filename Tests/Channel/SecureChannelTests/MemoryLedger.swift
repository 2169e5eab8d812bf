// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel

/// A ledger for tests, as long-lived as the test.
actor MemoryLedger: EnrolmentLedger {
    private var grants: [[UInt8]: EnrolmentGrant] = [:]
    private var used: Set<[UInt8]> = []
    private var revocations: [Identity: Int64] = [:]
    /// Who renewed a certificate.
    private(set) var renewals: [Identity] = []
    /// How often somebody's revocation was asked for.
    private(set) var checks = 0

    func addToken(secretHash: [UInt8], grant: EnrolmentGrant) {
        grants[secretHash] = grant
    }

    func grant(ofToken secretHash: [UInt8], as role: Identity.Role?, nowMilliseconds: Int64) throws -> EnrolmentGrant {
        guard let grant = grants[secretHash] else {
            throw EpitopeError(.tokenUnknown, "the token is not known here", remedy: "get a token from this center")
        }
        guard !used.contains(secretHash) else {
            throw EpitopeError(.tokenUsed, "the token was used", remedy: "get a new token")
        }
        guard nowMilliseconds < grant.expiresMilliseconds else {
            throw EpitopeError(.tokenExpired, "the token has expired", remedy: "get a new token")
        }
        try grant.check(is: role)
        return grant
    }

    func redeemToken(secretHash: [UInt8], as role: Identity.Role?, nowMilliseconds: Int64) throws -> EnrolmentGrant {
        let grant = try grant(ofToken: secretHash, as: role, nowMilliseconds: nowMilliseconds)
        used.insert(secretHash)
        return grant
    }

    /// What happens while the next renewal is signed.
    private var beforeRenewal: (@Sendable (MemoryLedger) async -> Void)?

    func beforeRenewal(_ body: @escaping @Sendable (MemoryLedger) async -> Void) { beforeRenewal = body }

    func noteRenewal(of identity: Identity, issuedMilliseconds: Int64) async -> Bool {
        await beforeRenewal?(self)
        if let revoked = revocations[identity], revoked >= issuedMilliseconds { return false }
        renewals.append(identity)
        return true
    }

    func revoke(_ identity: Identity, nowMilliseconds: @autoclosure @escaping @Sendable () -> Int64) {
        revocations[identity] = nowMilliseconds()
    }

    func isRevoked(_ identity: Identity, issuedMilliseconds: Int64) -> Bool {
        checks += 1
        return revocations[identity].map { issuedMilliseconds <= $0 } ?? false
    }
}
