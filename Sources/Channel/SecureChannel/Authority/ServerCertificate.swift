// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import SwiftASN1
import X509

/// A center's own certificate and private key, for its HTTPS endpoint.
public struct ServerCertificate: Sendable, CustomStringConvertible {
    package let keyPEM: String
    /// The server's certificate, then its authority's, before that the former one's statement for it: a host that enrols finds the pinned
    /// authority in this chain, and one that trusts the former authority its way to it.
    package let chainPEM: [String]
    /// The fingerprint of its authority.
    package let authority: [UInt8]
    /// The center's identity, as its certificate states it.
    public let identity: Identity
    /// The DNS names and IP addresses that hosts may reach the center by.
    public let names: [String]
    public let issuedMilliseconds: Int64
    public let expiresMilliseconds: Int64

    /// When this process had it issued; `nil`: it was read from its file.
    public private(set) var issued: ContinuousClock.Instant?

    package static let file = "server.pem"
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

    /// Whether it is to be renewed, or has not begun: the clock was ahead when it was issued; or another authority serves now.
    public func isToBeReplaced(by authorities: CenterAuthorities, nowMilliseconds: Int64) -> Bool {
        isDueForRenewal(nowMilliseconds: nowMilliseconds) || nowMilliseconds < issuedMilliseconds
            || authorities.serving(nowMilliseconds: nowMilliseconds).fingerprint != authority
    }

    /// Loads the server certificate from the authority's folder.
    ///
    /// - Throws: `authority-missing`, `certificate-malformed`, `certificate-foreign`, `certificate-expired`,
    ///   `key-malformed`.
    public static func load(
        from directory: String, authorities: CenterAuthorities, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> ServerCertificate {
        try read(from: directory, authorities) { certificate, path throws(EpitopeError) in
            try CertificateRules.requireInForce(
                certificate, called: "the center's certificate in \(path)", nowMilliseconds: nowMilliseconds)
        }
    }

    /// Loads the server certificate, and replaces it by a new one of the same names when two thirds of its time are over, or all of
    /// it, or it has not come: a center that was off for long starts by itself. So where it is not from the authority that serves.
    ///
    /// - Throws: `authority-missing`, `certificate-malformed`, `certificate-foreign`, `certificate-expired` when the authority's own
    ///   time is over, `key-malformed`, `state-unwritable`, what the issuer throws.
    public static func loadOrRenew(
        from directory: String, authorities: CenterAuthorities, issuer: any CertificateIssuing,
        nowMilliseconds: Int64 = ChannelClock.system()
    ) async throws(EpitopeError) -> ServerCertificate {
        let stored = try read(from: directory, authorities) { _, _ throws(EpitopeError) in }
        let isInForce =
            (stored.issuedMilliseconds...stored.expiresMilliseconds).contains(nowMilliseconds)
            && authorities.accepted.contains { $0.fingerprint == stored.authority }
        guard stored.isToBeReplaced(by: authorities, nowMilliseconds: nowMilliseconds) else { return stored }
        do throws(EpitopeError) {
            return try await stored.renewed(by: issuer, of: authorities, in: directory, nowMilliseconds: nowMilliseconds)
        } catch {
            // A disk that is full now, or a key that is away: what is in force is good for some weeks yet.
            guard isInForce else { throw error }
            return stored
        }
    }

    /// Issues the center a new certificate, whether the one that it has is in force or not, and replaces its file. Where that is
    /// missing or damaged the names must be given: all else the authority knows.
    ///
    /// - Parameter names: DNS names and IP addresses that hosts reach the center by, 1 to 64; `nil`: those that it has.
    /// - Throws: as ``load(from:authorities:nowMilliseconds:)``, `name-invalid`, `state-unwritable`.
    public static func reissue(
        in directory: String, by keys: AuthorityKeys, names: [String]?, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> ServerCertificate {
        let center: (name: String, names: [String])
        do throws(EpitopeError) {
            let stored = try read(from: directory, keys.authorities) { _, _ throws(EpitopeError) in }
            center = (stored.identity.name, names ?? stored.names)
        } catch {
            guard let names, let site = keys.current.certificate.site else { throw error }
            center = (site, names)
        }
        let serving = keys.authorities.serving(nowMilliseconds: nowMilliseconds)
        let application = Application(center: center.name, names: center.names, of: serving, nowMilliseconds: nowMilliseconds)
        let next = try application.granted(try keys.issue(application.order), by: serving, of: keys.authorities)
        try next.save(in: directory)
        return next
    }

    private static func read(
        from directory: String, _ authorities: CenterAuthorities, check: (Certificate, String) throws(EpitopeError) -> Void
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
        let known = authorities.accepted + [authorities.former?.authority].compactMap(\.self)
        guard let authority = known.first(where: { $0.hasSigned(certificate) }) else {
            throw EpitopeError(
                .certificateForeign, "the certificate in \(path) is not from this center's authority",
                remedy: Self.reissueRemedy)
        }
        try check(certificate, path)
        return try ServerCertificate(key: key, certificate: certificate, by: authority, of: authorities)
    }

    /// A new key of a center, and what its certificate is ordered with.
    struct Application {
        private let key = P256.Signing.PrivateKey()
        let order: CertificateOrder

        /// - Parameter authority: that is to issue it; `nil`: the current one.
        init(center: String, names: [String], of authority: AuthorityCertificate? = nil, nowMilliseconds: Int64) {
            order = CertificateOrder(
                .server, for: Identity(role: .center, name: center), publicKey: key.publicKey.x963Representation, names: names,
                issuedMilliseconds: nowMilliseconds, authority: authority.map { Hex.encode($0.fingerprint) })
        }

        /// - Parameter text: the certificate as PEM.
        /// - Throws: `certificate-malformed`, `certificate-foreign`, `key-malformed` where it is another one than was ordered.
        func granted(
            _ text: String, by authority: AuthorityCertificate, of authorities: CenterAuthorities
        ) throws(EpitopeError) -> ServerCertificate {
            let certificate = try PEM.certificate(text, from: "the authority's answer")
            guard authority.hasSigned(certificate) else {
                throw EpitopeError(
                    .certificateForeign, "the key process signs with another key than that of this center's authority",
                    remedy: "give the key process the folder of this center's key")
            }
            return try ServerCertificate(key: Certificate.PrivateKey(key), certificate: certificate, by: authority, of: authorities)
        }
    }

    /// Has a new certificate issued for the same center and names, and replaces the file of the old one.
    ///
    /// - Throws: what the issuer throws, `certificate-foreign` where it has another key, `state-unwritable`.
    public func renewed(
        by issuer: any CertificateIssuing, of authorities: CenterAuthorities, in directory: String,
        nowMilliseconds: Int64 = ChannelClock.system()
    ) async throws(EpitopeError) -> ServerCertificate {
        let serving = authorities.serving(nowMilliseconds: nowMilliseconds)
        let application = Application(center: identity.name, names: names, of: serving, nowMilliseconds: nowMilliseconds)
        var next = try application.granted(try await issuer.issue(application.order), by: serving, of: authorities)
        try next.save(in: directory)
        next.issued = .now
        return next
    }

    /// Key and certificate are one file, so that they always belong together.
    var filePEM: String { keyPEM + chainPEM[0] }

    /// Writes the file.
    ///
    /// - Throws: `state-unwritable`.
    public func save(in directory: String) throws(EpitopeError) {
        try PrivateFiles.save(filePEM, to: "\(directory)/\(Self.file)")
    }

    init(
        key: Certificate.PrivateKey, certificate: Certificate, by authority: AuthorityCertificate, of authorities: CenterAuthorities
    ) throws(EpitopeError) {
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
        self.authority = authority.fingerprint
        self.issuedMilliseconds = certificate.notValidBefore.milliseconds
        self.expiresMilliseconds = certificate.notValidAfter.milliseconds
        (self.keyPEM, self.chainPEM) = try signing("encode the center's certificate") {
            (try PEM.text(key), [try PEM.text(certificate)] + authorities.chainPEM(behind: authority))
        }
    }

    /// The DNS names and IP addresses of a certificate.
    static func names(in certificate: Certificate) -> [String] {
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
