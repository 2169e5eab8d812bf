// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import X509

/// What a machine trusts besides the authority that its certificate is from, while its center replaces that one.
///
/// | moment | certificate of | trusted | besides |
/// | --- | --- | --- | --- |
/// | before | A | A | |
/// | it knows of the next one, by A's signature | A | A, B | ``successor`` |
/// | it has a certificate of the next one | B | A, B | ``former`` |
/// | the center shows a certificate of B itself | B | B | |
///
/// In the third, the center may be put back to a state from before: then it knows nothing of B, and the former identity is used again.
package struct AuthorityTrust: Codable, Hashable, Sendable {
    /// The authority that follows, with the statement of the present one.
    package var successor: SuccessorAnnouncement?
    /// The identity by the authority before.
    package var former: FormerIdentity?

    package init(successor: SuccessorAnnouncement? = nil, former: FormerIdentity? = nil) {
        self.successor = successor
        self.former = former
    }

    var isEmpty: Bool { successor == nil && former == nil }
}

/// An identity by an authority that is being replaced, each part as PEM.
package struct FormerIdentity: Codable, Hashable, Sendable {
    var key: String
    var certificate: String
    var authority: String
}

extension StoredIdentity {
    /// The certificates of all authorities that are trusted, as one text.
    var trustedPEM: String {
        authorityPEM + (trust.successor?.authority ?? "") + (trust.former?.authority ?? "")
    }

    /// Fingerprints of the authorities that this machine can use a certificate of, in hexadecimal digits.
    var trusts: [String] { [authorityPEM, trust.successor?.authority].compactMap { $0.flatMap(Self.fingerprint) } }

    static func fingerprint(ofAuthority pem: String) -> String? {
        (try? PEM.certificate(pem, from: "the identity")).flatMap { try? PEM.der($0) }.map { Hex.encode(SHA256.hash(data: $0)) }
    }

    /// This identity, once it trusts the authority that is announced.
    ///
    /// - Returns: `nil`: it does already.
    /// - Throws: `successor-unproven`.
    func knowing(_ announcement: SuccessorAnnouncement, nowMilliseconds: Int64) throws(EpitopeError) -> StoredIdentity? {
        let authority = try AuthorityCertificate(try PEM.certificate(authorityPEM, from: "the identity"))
        let next = try AuthoritySuccessor(announcement, of: authority, nowMilliseconds: nowMilliseconds)
        guard trust.successor?.authority != next.certificate.pem else { return nil }
        var trust = trust
        trust.successor = SuccessorAnnouncement(next, withinSeconds: 0)
        return try with(trust)
    }

    /// This identity with another key and a certificate for it, of an authority that it trusts.
    ///
    /// - Throws: `certificate-foreign`, `certificate-malformed`, `key-malformed`.
    func renewed(keyPEM: String, certificatePEM: String) throws(EpitopeError) -> StoredIdentity {
        let certificate = try PEM.certificate(certificatePEM, from: "the center's answer")
        guard let next = trust.successor?.authority,
            try AuthorityCertificate(try PEM.certificate(next, from: "the identity")).hasSigned(certificate)
        else { return try with(trust, keyPEM: keyPEM, certificatePEM: certificatePEM) }
        let former = FormerIdentity(key: self.keyPEM, certificate: self.certificatePEM, authority: authorityPEM)
        return try with(AuthorityTrust(former: former), keyPEM: keyPEM, certificatePEM: certificatePEM, authorityPEM: next)
    }

    /// This identity, once it trusts the authority of its own certificate alone.
    func withoutFormer() throws(EpitopeError) -> StoredIdentity {
        try with(AuthorityTrust(successor: trust.successor))
    }

    /// The identity by the authority before; `nil`: there is none.
    func former() throws(EpitopeError) -> StoredIdentity? {
        guard let former = trust.former else { return nil }
        return try with(
            AuthorityTrust(), keyPEM: former.key, certificatePEM: former.certificate, authorityPEM: former.authority)
    }

    private func with(
        _ trust: AuthorityTrust, keyPEM: String? = nil, certificatePEM: String? = nil, authorityPEM: String? = nil
    ) throws(EpitopeError) -> StoredIdentity {
        try StoredIdentity(
            centers: centers, keyPEM: keyPEM ?? self.keyPEM, certificatePEM: certificatePEM ?? self.certificatePEM,
            authorityPEM: authorityPEM ?? self.authorityPEM, trust: trust, relay: relay)
    }
}
