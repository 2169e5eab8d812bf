// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SwiftASN1
import X509

/// An authority that is to follow another, and what the other says of it: a certificate for its name and key, signed with the other's key
/// (RFC 4210, section 4.4: "new with old"). Who trusts the other one needs nobody's word but that.
///
/// Both authorities have one name. So the statement is a self-issued certificate, which the path length of the other's certificate
/// (0: no authority below it) doesn't count (RFC 5280, 4.2.1.9), and a TLS library that trusts the old authority alone finds its way
/// to what the new one issues.
public struct AuthoritySuccessor: Sendable, Hashable {
    /// The authority before, with the statement that it gave.
    public struct Giver: Sendable, Hashable {
        public let authority: AuthorityCertificate
        package let statementPEM: String
    }

    public let certificate: AuthorityCertificate
    /// Of the authority before it.
    package let statementPEM: String

    init(certificate: AuthorityCertificate, statementPEM: String) {
        self.certificate = certificate
        self.statementPEM = statementPEM
    }

    /// Checks an authority that was announced.
    ///
    /// - Parameters:
    ///   - announcement: as it came.
    ///   - authority: that is trusted.
    /// - Throws: `successor-unproven`.
    init(_ announcement: SuccessorAnnouncement, of authority: AuthorityCertificate, nowMilliseconds: Int64) throws(EpitopeError) {
        guard let next = try? PEM.certificate(announcement.authority, from: "the center's answer"),
            let statement = try? PEM.certificate(announcement.statement, from: "the center's answer"),
            SuccessionRules.isAuthority(next), SuccessionRules.isStatement(statement, of: authority.x509, for: next)
        else { throw Self.unproven("it lacks the signature of the authority that this machine trusts") }
        for (certificate, name) in [(authority.x509, "the authority that signed for it"), (next, "it"), (statement, "the signature")] {
            let dates = certificate.notValidBefore.milliseconds...certificate.notValidAfter.milliseconds
            guard dates.contains(nowMilliseconds) else { throw Self.unproven("\(name) is not in force by this machine's clock") }
        }
        self.init(
            certificate: try AuthorityCertificate(next),
            statementPEM: try signing("encode a statement of the authority") { try PEM.text(statement) })
    }

    private static func unproven(_ why: String) -> EpitopeError {
        EpitopeError(
            .successorUnproven, "the center names another authority to follow its own, which is not believed: \(why)",
            remedy: "tell the center's operator; what this machine trusts stays as it is")
    }
}

/// A center's word that its authority is to be followed by another.
package struct SuccessorAnnouncement: Codable, Hashable, Sendable {
    /// The next authority's certificate, and the present one's statement for it, each as PEM.
    package var authority: String
    package var statement: String
    /// Within which time who hears it is to get a certificate of the next authority, in seconds: the hosts of a center spread over it.
    package var withinSeconds: Int

    package init(_ successor: AuthoritySuccessor, withinSeconds: Int) {
        authority = successor.certificate.pem
        statement = successor.statementPEM
        self.withinSeconds = withinSeconds
    }
}

/// What makes an authority, and one another's successor.
enum SuccessionRules {
    /// Whether a certificate is an authority's own.
    static func isAuthority(_ certificate: Certificate) -> Bool {
        mayIssue(certificate) && certificate.issuer == certificate.subject
            && certificate.publicKey.isValidSignature(certificate.signature, for: certificate)
    }

    /// Whether a certificate is one authority's statement for the next.
    static func isStatement(_ statement: Certificate, of authority: Certificate, for next: Certificate) -> Bool {
        mayIssue(statement) && statement.issuer == authority.subject && statement.subject == next.subject
            && authority.subject == next.subject && statement.publicKey == next.publicKey && next.publicKey != authority.publicKey
            && authority.publicKey.isValidSignature(statement.signature, for: statement)
    }

    private static func mayIssue(_ certificate: Certificate) -> Bool {
        guard case .isCertificateAuthority(maxPathLength: 0) = try? certificate.extensions.basicConstraints else { return false }
        return (try? certificate.extensions.keyUsage?.keyCertSign) == true
    }
}
