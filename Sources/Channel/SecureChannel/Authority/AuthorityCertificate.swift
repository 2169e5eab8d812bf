// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import SwiftASN1
// The library offers verification at a given time under this name only.
@_spi(FixedExpiryValidationTime) import X509

/// The certificate of a center's authority: all that a center needs to tell the certificates of its hosts from others'. The key is
/// elsewhere.
public struct AuthorityCertificate: Sendable, Hashable, CustomStringConvertible {
    /// As PEM.
    public let pem: String
    /// SHA-256 of the certificate as DER, which enrolment tokens pin.
    public let fingerprint: [UInt8]
    public let expiresMilliseconds: Int64

    let x509: Certificate

    package static let file = "authority.pem"
    static let siteNamePrefix = "Epitope authority of "

    /// The fingerprint.
    public var description: String { "authority \(Hex.encode(fingerprint))" }

    /// The site that the authority was made for, by its certificate.
    package var site: String? {
        // A name's characters stand for themselves in this form (RFC 4514).
        let subject = x509.subject.description
        guard subject.hasPrefix("CN=" + Self.siteNamePrefix) else { return nil }
        let name = String(subject.dropFirst(3 + Self.siteNamePrefix.count))
        return Identity.isValidName(name) ? name : nil
    }

    /// Loads the current authority's certificate from the center's folder or the key's.
    ///
    /// - Throws: `authority-missing`, `certificate-malformed`, `certificate-expired`.
    public static func load(
        from directory: String, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> AuthorityCertificate {
        try CenterAuthorities.load(from: directory, nowMilliseconds: nowMilliseconds).current
    }

    /// That a folder has no authority.
    public static func missing(from directory: String) -> EpitopeError {
        EpitopeError(
            .authorityMissing, "\(directory) has no certificate authority",
            remedy: "create one with `epitope local-center init` (or `global-center init`), or give its folder")
    }

    init(_ certificate: Certificate) throws(EpitopeError) {
        x509 = certificate
        expiresMilliseconds = certificate.notValidAfter.milliseconds
        (pem, fingerprint) = try signing("encode the authority's certificate") {
            (try PEM.text(certificate), Array(SHA256.hash(data: try PEM.der(certificate))))
        }
    }

    /// Makes a token for this authority, to be redeemed once, and records it in the ledger.
    ///
    /// - Throws: `name-invalid`, `role-not-allowed` for the role of a center, or what the ledger throws.
    public func makeToken(
        for identity: Identity, in ledger: any EnrolmentLedger, nowMilliseconds: Int64 = ChannelClock.system(),
        lifetimeMilliseconds: Int64 = EnrolmentToken.defaultLifetimeMilliseconds
    ) async throws -> EnrolmentToken {
        try CertificateRules.requireValid(identity)
        try CertificateRules.requireEnrollable(identity)
        let token = EnrolmentToken(authorityFingerprint: fingerprint)
        let grant = EnrolmentGrant(identity: identity, expiresMilliseconds: nowMilliseconds + lifetimeMilliseconds)
        try await ledger.addToken(secretHash: token.secretHash, grant: grant)
        return token
    }

    /// Checks a peer's certificate (DER): issued by this authority itself, in force, usable for the role it states.
    ///
    /// - Parameter graceMilliseconds: for how long after its end the certificate still counts.
    /// - Throws: `certificate-malformed`, `certificate-foreign`, `certificate-expired`, `certificate-not-yet-valid`.
    public func verify(
        certificateDER: [UInt8], nowMilliseconds: Int64, graceMilliseconds: Int64 = 0
    ) async throws(EpitopeError) -> PeerCertificate {
        guard let leaf = try? Certificate(derEncoded: certificateDER) else {
            throw Self.malformed("it cannot be read")
        }
        guard hasSigned(leaf) else {
            throw EpitopeError(
                .certificateForeign, "the certificate is not from this center's authority",
                remedy: "enrol at this center to get a certificate from it")
        }
        guard let identity = CertificateIdentity.read(from: leaf) else {
            throw Self.malformed("it does not state exactly one identity")
        }
        let peer = PeerCertificate(
            identity: identity, issuedMilliseconds: DatedSerialNumber.issuedMilliseconds(of: leaf),
            beginsMilliseconds: leaf.notValidBefore.milliseconds, expiresMilliseconds: leaf.notValidAfter.milliseconds,
            authority: fingerprint)
        try peer.requireInForce(nowMilliseconds: nowMilliseconds, graceMilliseconds: graceMilliseconds)
        guard let usages = try? leaf.extensions.extendedKeyUsage, usages.contains(CertificateRules.usage(of: identity.role))
        else {
            throw Self.malformed("its key usage does not fit the role that it states")
        }
        // The rest of RFC 5280: path length, critical extensions, name constraints.
        var verifier = Verifier(rootCertificates: CertificateStore([x509])) {
            // The dates were judged above, with the grace.
            RFC5280Policy(fixedExpiryValidationTime: Date(milliseconds: min(nowMilliseconds, peer.expiresMilliseconds)))
        }
        guard case .validCertificate = await verifier.validate(leaf: leaf, intermediates: CertificateStore()) else {
            throw Self.malformed("its chain breaks the rules of RFC 5280")
        }
        return peer
    }

    /// Whether this authority issued a certificate. Its own certificate does not count.
    func hasSigned(_ leaf: Certificate) -> Bool {
        leaf != x509 && leaf.issuer == x509.subject && x509.publicKey.isValidSignature(leaf.signature, for: leaf)
    }

    func requireInForce(nowMilliseconds: Int64) throws(EpitopeError) {
        try CertificateRules.requireInForce(x509, called: "the authority's certificate", nowMilliseconds: nowMilliseconds)
    }

    private static func malformed(_ why: String) -> EpitopeError {
        EpitopeError(
            .certificateMalformed, "the certificate is refused: \(why)",
            remedy: "enrol again to get a new certificate")
    }
}
