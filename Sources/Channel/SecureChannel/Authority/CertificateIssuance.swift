// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import SwiftASN1
import X509

extension CertificateAuthority {
    /// The default time for which an issued certificate is valid, in days. There are no revocation lists: a center
    /// refuses the revoked by its ledger, and what the ledger forgets dies of age.
    public static let defaultValidityDays = 90

    /// Issues a certificate to an identity for the key in a certificate signing request (PEM). Nothing else of the
    /// request counts: the name it asks for is ignored.
    ///
    /// - Throws: `request-malformed` when the request can't be read, isn't signed by its own key, or has a key that
    ///   is not P-256; `certificate-expired` when the authority's own time is up; `name-invalid`;
    ///   `role-not-allowed` for the role of a center.
    /// - Returns: the certificate as PEM.
    public func issue(
        to identity: Identity, request: String, validityDays: Int = defaultValidityDays,
        nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> String {
        try Self.requireEnrollable(identity)
        let key = try Self.publicKey(ofRequest: request)
        let certificate = try issue(
            to: identity, key: key, names: [], validityDays: validityDays, nowMilliseconds: nowMilliseconds)
        return try signing("encode the certificate") { try PEM.text(certificate) }
    }

    /// Issues the center's own server certificate, with a key of its own.
    ///
    /// - Parameter names: DNS names and IP addresses; at least one, at most 64.
    /// - Throws: `name-invalid`, `certificate-expired`.
    public func issueServerCertificate(
        center: String, names: [String], validityDays: Int = defaultValidityDays,
        nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> ServerCertificate {
        guard (1...64).contains(names.count) else {
            throw EpitopeError(
                .nameInvalid, "a center needs a server name",
                remedy: "give 1 to 64 DNS names or IP addresses that hosts reach it by")
        }
        var alternatives: [GeneralName] = []
        for name in names { alternatives.append(try Self.serverName(name)) }
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let certificate = try issue(
            to: Identity(role: .center, name: center), key: key.publicKey, names: alternatives,
            validityDays: validityDays, nowMilliseconds: nowMilliseconds)
        return try ServerCertificate(key: key, certificate: certificate, authorityPEM: certificatePEM)
    }

    /// Checks that a text is a certificate signing request that ``issue(to:request:validityDays:nowMilliseconds:)`` accepts,
    /// before a token is redeemed for it.
    ///
    /// - Throws: `request-malformed`.
    public static func checkRequest(_ request: String) throws(EpitopeError) {
        _ = try publicKey(ofRequest: request)
    }

    static func make(site: String, nowMilliseconds: Int64) throws(EpitopeError) -> CertificateAuthority {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let from = nowMilliseconds - backdatedSeconds * 1000
        let certificate = try signing("make the authority's certificate") {
            let name = try DistinguishedName { CommonName(siteNamePrefix + site) }
            return try Certificate(
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
        return try CertificateAuthority(certificate: certificate, key: key)
    }

    private func issue(
        to identity: Identity, key subject: Certificate.PublicKey, names: [GeneralName], validityDays: Int,
        nowMilliseconds: Int64
    ) throws(EpitopeError) -> Certificate {
        try Self.requireValid(identity)
        try Self.requireInForce(certificate, called: "the authority's certificate", nowMilliseconds: nowMilliseconds)
        let until = nowMilliseconds + Duration.days(validityDays).inMilliseconds
        return try signing("issue a certificate") {
            try Certificate(
                version: .v3, serialNumber: DatedSerialNumber.make(issuedMilliseconds: nowMilliseconds), publicKey: subject,
                notValidBefore: Date(milliseconds: nowMilliseconds - Self.backdatedSeconds * 1000),
                notValidAfter: Date(milliseconds: min(until, expiresMilliseconds)), issuer: certificate.subject,
                subject: DistinguishedName { CommonName(identity.name) },
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([Self.usage(of: identity.role)])
                    SubjectAlternativeNames(names + [.uniformResourceIdentifier(CertificateIdentity.uri(identity))])
                    AuthorityKeyIdentifier(
                        keyIdentifier: try certificate.extensions.subjectKeyIdentifier?.keyIdentifier)
                },
                issuerPrivateKey: self.key)
        }
    }

    /// The extended key usage of a role's certificate: centers are servers, hosts and local centers are clients.
    static func usage(of role: Identity.Role) -> ExtendedKeyUsage.Usage {
        role == .center ? .serverAuth : .clientAuth
    }

    private static func publicKey(ofRequest text: String) throws(EpitopeError) -> Certificate.PublicKey {
        guard let request = try? CertificateSigningRequest(pemEncoded: text),
            request.publicKey.isValidSignature(request.signature, for: request),
            P256.Signing.PublicKey(request.publicKey) != nil
        else {
            throw EpitopeError(
                .requestMalformed, "the certificate signing request is malformed",
                remedy: "send a request as PEM, for a P-256 key and signed with it")
        }
        return request.publicKey
    }

    private static func serverName(_ name: String) throws(EpitopeError) -> GeneralName {
        if let address = IPAddress(name) {
            return .ipAddress(ASN1OctetString(contentBytes: address.bytes[...]))
        }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isDNSName =
            name.utf8.count <= 253
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
            }
        guard isDNSName else {
            throw EpitopeError(
                .nameInvalid, "'\(name)' is neither a DNS name nor an IP address",
                remedy: "give the names and addresses that hosts reach the center by, without port or scheme")
        }
        return .dnsName(name)
    }
}
