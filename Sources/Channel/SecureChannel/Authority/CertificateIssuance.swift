// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import X509

extension CertificateAuthority: CertificateIssuing {
    /// The default time for which an issued certificate is valid, in days. There are no revocation lists: a center
    /// refuses the revoked by its ledger, and what the ledger forgets dies of age.
    public static let defaultValidityDays = 90

    /// Issues a certificate.
    ///
    /// - Throws: `name-invalid`, `role-not-allowed`, `request-malformed`; `authority-missing` for an order that names another one;
    ///   `certificate-expired` when the authority's own time is up.
    /// - Returns: the certificate as PEM.
    public func issue(_ order: CertificateOrder) throws(EpitopeError) -> String {
        if let wanted = order.authority, wanted != Hex.encode(fingerprint) {
            throw EpitopeError(
                .authorityMissing, "the key of the authority that was asked for is not there",
                remedy: "give the key process the folder of this center's key, and start it again")
        }
        let subject = Certificate.PublicKey(try order.check())
        var alternatives: [GeneralName] = []
        for name in order.names { alternatives.append(try CertificateRules.serverName(name)) }
        let now = order.issuedMilliseconds
        try certificate.requireInForce(nowMilliseconds: now)
        let until = now + Duration.days(order.validityDays).inMilliseconds
        return try signing("issue a certificate") {
            try PEM.text(
                Certificate(
                    version: .v3, serialNumber: DatedSerialNumber.make(issuedMilliseconds: order.serialMilliseconds ?? now),
                    publicKey: subject,
                    notValidBefore: Date(milliseconds: now - Self.backdatedSeconds * 1000),
                    notValidAfter: Date(milliseconds: min(until, certificate.expiresMilliseconds)), issuer: certificate.x509.subject,
                    subject: DistinguishedName { CommonName(order.identity.name) },
                    extensions: Certificate.Extensions {
                        Critical(BasicConstraints.notCertificateAuthority)
                        Critical(KeyUsage(digitalSignature: true))
                        try ExtendedKeyUsage([CertificateRules.usage(of: order.identity.role)])
                        SubjectAlternativeNames(
                            alternatives + [.uniformResourceIdentifier(CertificateIdentity.uri(order.identity))])
                        AuthorityKeyIdentifier(
                            keyIdentifier: try certificate.x509.extensions.subjectKeyIdentifier?.keyIdentifier)
                    },
                    issuerPrivateKey: key))
        }
    }

    /// Issues a certificate to an identity for the key in a certificate signing request (PEM).
    ///
    /// - Throws: `request-malformed`, `certificate-expired`, `name-invalid`, `role-not-allowed` for the role of a center.
    /// - Returns: the certificate as PEM.
    public func issue(
        to identity: Identity, request: String, validityDays: Int = defaultValidityDays,
        nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> String {
        try issue(
            CertificateOrder(
                .enrolment, for: identity, publicKey: try CertificateOrder.publicKey(ofRequest: request), validityDays: validityDays,
                issuedMilliseconds: nowMilliseconds))
    }

    /// Issues the center's own server certificate, with a key of its own.
    ///
    /// - Parameter names: DNS names and IP addresses; at least one, at most 64.
    /// - Throws: `name-invalid`, `certificate-expired`.
    public func issueServerCertificate(
        center: String, names: [String], nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> ServerCertificate {
        let application = ServerCertificate.Application(center: center, names: names, nowMilliseconds: nowMilliseconds)
        return try application.granted(try issue(application.order), by: certificate, of: CenterAuthorities(certificate))
    }

    public func hasKey(of authority: AuthorityCertificate) -> Bool { authority == certificate }

    static func make(site: String, nowMilliseconds: Int64) throws(EpitopeError) -> CertificateAuthority {
        let name = try signing("name the authority") { try DistinguishedName { CommonName(AuthorityCertificate.siteNamePrefix + site) } }
        return try make(subject: name, nowMilliseconds: nowMilliseconds)
    }

    static func make(subject name: DistinguishedName, nowMilliseconds: Int64) throws(EpitopeError) -> CertificateAuthority {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let from = nowMilliseconds - backdatedSeconds * 1000
        let certificate = try signing("make the authority's certificate") {
            try Certificate(
                version: .v3, serialNumber: DatedSerialNumber.make(issuedMilliseconds: nowMilliseconds), publicKey: key.publicKey,
                notValidBefore: Date(milliseconds: from),
                notValidAfter: Date(milliseconds: from + Duration.days(lifetimeDays).inMilliseconds), issuer: name,
                subject: name,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: key.publicKey)
                },
                issuerPrivateKey: key)
        }
        return CertificateAuthority(certificate: try AuthorityCertificate(certificate), key: key)
    }
}
