// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import SwiftASN1
import X509

/// A center's own certificate and private key, for its HTTPS endpoint.
public struct ServerCertificate: Sendable, CustomStringConvertible {
    package let keyPEM: String
    /// The server's certificate, then the authority's: a host that enrols finds the pinned authority in this chain.
    package let chainPEM: [String]
    /// The center's identity, as its certificate states it.
    public let identity: Identity
    /// The DNS names and IP addresses that hosts may reach the center by.
    public let names: [String]
    public let issuedMilliseconds: Int64
    public let expiresMilliseconds: Int64

    static let file = "server.pem"
    private static let reissueRemedy =
        "have the authority issue a new one (`epitope local-center renew --address ADDRESS`, or `global-center`), or restore it from a backup"

    /// The identity and the names. The key stays out of logs.
    public var description: String {
        "\(identity.role.rawValue) \(identity.name), \(names.joined(separator: ", "))"
    }

    /// Whether two thirds of the certificate's validity are over.
    public func isDueForRenewal(nowMilliseconds: Int64) -> Bool {
        nowMilliseconds > issuedMilliseconds + (expiresMilliseconds - issuedMilliseconds) / 3 * 2
    }

    /// Loads the server certificate from the authority's folder.
    ///
    /// - Throws: `authority-missing`, `certificate-malformed`, `certificate-foreign`, `certificate-expired`,
    ///   `key-malformed`.
    public static func load(
        from directory: String, authority: CertificateAuthority, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> ServerCertificate {
        try read(from: directory, authority: authority) { certificate, path throws(EpitopeError) in
            try CertificateAuthority.requireInForce(
                certificate, called: "the center's certificate in \(path)", nowMilliseconds: nowMilliseconds)
        }
    }

    /// Loads the server certificate, and replaces it by a new one of the same names when two thirds of its time are over, or all of
    /// it, or it has not come: a center that was off for long starts by itself, since its authority lies beside it.
    ///
    /// - Throws: `authority-missing`, `certificate-malformed`, `certificate-foreign`, `certificate-expired` when the authority's own
    ///   time is over, `key-malformed`, `state-unwritable`.
    public static func loadOrRenew(
        from directory: String, authority: CertificateAuthority, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> ServerCertificate {
        let stored = try read(from: directory, authority: authority) { _, _ throws(EpitopeError) in }
        let isInForce = (stored.issuedMilliseconds...stored.expiresMilliseconds).contains(nowMilliseconds)
        guard !isInForce || stored.isDueForRenewal(nowMilliseconds: nowMilliseconds) else { return stored }
        do throws(EpitopeError) {
            return try stored.renewed(by: authority, in: directory, nowMilliseconds: nowMilliseconds)
        } catch {
            // A disk that is full now: what is in force is good for some weeks yet.
            guard isInForce else { throw error }
            return stored
        }
    }

    /// Issues the center a new certificate, whether the one that it has is in force or not, and replaces its file. Where that is
    /// missing or damaged the names must be given: all else the authority knows.
    ///
    /// - Parameter names: DNS names and IP addresses that hosts reach the center by, 1 to 64; `nil`: those that it has.
    /// - Throws: as ``loadOrRenew(from:authority:nowMilliseconds:)``, and `name-invalid`.
    public static func reissue(
        in directory: String, by authority: CertificateAuthority, names: [String]?, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> ServerCertificate {
        let center: (name: String, names: [String])
        do throws(EpitopeError) {
            let stored = try read(from: directory, authority: authority) { _, _ throws(EpitopeError) in }
            center = (stored.identity.name, names ?? stored.names)
        } catch {
            guard let names, let site = authority.site else { throw error }
            center = (site, names)
        }
        let next = try authority.issueServerCertificate(center: center.name, names: center.names, nowMilliseconds: nowMilliseconds)
        try next.save(in: directory)
        return next
    }

    private static func read(
        from directory: String, authority: CertificateAuthority, check: (Certificate, String) throws(EpitopeError) -> Void
    ) throws(EpitopeError) -> ServerCertificate {
        let path = "\(directory)/\(file)"
        guard let text = try PrivateFiles.load(path) else {
            throw EpitopeError(
                .authorityMissing, "\(path) is missing: the center has no server certificate",
                remedy: Self.reissueRemedy)
        }
        let documents = (try? PEMDocument.parseMultiple(pemString: text)) ?? []
        guard documents.count == 2 else {
            throw EpitopeError(
                .certificateMalformed, "\(path) does not hold one key and one certificate",
                remedy: Self.reissueRemedy)
        }
        let key = try PEM.key(documents[0].pemString, from: path)
        let certificate = try PEM.certificate(documents[1].pemString, from: path)
        guard authority.hasSigned(certificate) else {
            throw EpitopeError(
                .certificateForeign, "the certificate in \(path) is not from this center's authority",
                remedy: Self.reissueRemedy)
        }
        try check(certificate, path)
        return try ServerCertificate(key: key, certificate: certificate, authorityPEM: authority.certificatePEM)
    }

    /// Issues a new certificate for the same center and names, and replaces the file of the old one.
    public func renewed(
        by authority: CertificateAuthority, in directory: String, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> ServerCertificate {
        let next = try authority.issueServerCertificate(
            center: identity.name, names: names, nowMilliseconds: nowMilliseconds)
        try next.save(in: directory)
        return next
    }

    /// Writes key and certificate as one file, so that they always belong together.
    public func save(in directory: String) throws(EpitopeError) {
        try PrivateFiles.save(keyPEM + chainPEM[0], to: "\(directory)/\(Self.file)")
    }

    init(key: Certificate.PrivateKey, certificate: Certificate, authorityPEM: String) throws(EpitopeError) {
        guard key.publicKey == certificate.publicKey else {
            throw EpitopeError(
                .keyMalformed, "the center's private key does not belong to its certificate",
                remedy: Self.reissueRemedy)
        }
        guard let identity = CertificateIdentity.read(from: certificate), identity.role == .center else {
            throw EpitopeError(
                .certificateMalformed, "the center's certificate does not name a center",
                remedy: Self.reissueRemedy)
        }
        self.identity = identity
        self.names = Self.names(in: certificate)
        self.issuedMilliseconds = certificate.notValidBefore.milliseconds
        self.expiresMilliseconds = certificate.notValidAfter.milliseconds
        (self.keyPEM, self.chainPEM) = try signing("encode the center's certificate") {
            (try PEM.text(key), [try PEM.text(certificate), authorityPEM])
        }
    }

    private static func names(in certificate: Certificate) -> [String] {
        guard let names = try? certificate.extensions.subjectAlternativeNames else { return [] }
        return names.compactMap { name in
            switch name {
            case .dnsName(let name): name
            case .ipAddress(let address): IPAddress(bytes: address.bytes)?.description
            default: nil
            }
        }
    }
}
