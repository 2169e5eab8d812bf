// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import X509

/// A center's certificate authority, which issues the certificates of a site's hosts and centers.
///
/// Its folder (mode 0700) holds `authority.pem`, `authority-key.pem` and `server.pem`, the center's own key and
/// certificate; each has mode 0600 and is replaced in one step.
public struct CertificateAuthority: Sendable, CustomStringConvertible {
    /// The authority's certificate, as PEM.
    public let certificatePEM: String
    /// SHA-256 of the authority's certificate as DER, which enrolment tokens pin.
    public let fingerprint: [UInt8]
    public let expiresMilliseconds: Int64

    let certificate: Certificate
    let key: Certificate.PrivateKey

    /// An authority outlives many generations of the certificates that it issues.
    static let lifetimeDays = 3650

    /// The fingerprint. The key stays out of logs.
    public var description: String {
        "authority \(Hex.encode(fingerprint))"
    }

    static let siteNamePrefix = "Epitope authority of "
    /// The site that the authority was made for, by its certificate.
    var site: String? {
        // A name's characters stand for themselves in this form (RFC 4514).
        let subject = certificate.subject.description
        guard subject.hasPrefix("CN=" + Self.siteNamePrefix) else { return nil }
        let name = String(subject.dropFirst(3 + Self.siteNamePrefix.count))
        return Identity.isValidName(name) ? name : nil
    }

    static let certificateFile = "authority.pem"
    static let keyFile = "authority-key.pem"
    /// By how much every certificate is dated back, for clocks that are slow, and for a center's that is set back: one hour.
    static let backdatedSeconds: Int64 = 3600

    /// Makes an authority and the center's first server certificate, in a folder that must be new or empty.
    ///
    /// The folder appears whole or not at all.
    ///
    /// - Parameters:
    ///   - site: the site's name, by the rules of an identity's name.
    ///   - serverNames: the DNS names and IP addresses that hosts reach the center by; at least one.
    /// - Throws: `authority-exists`, `name-invalid`, `state-unwritable`.
    public static func create(
        in directory: String, site: String, serverNames: [String],
        nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> CertificateAuthority {
        guard Identity.isValidName(site) else {
            throw EpitopeError(
                .nameInvalid, "'\(site)' is not a valid site name",
                remedy: "use 1 to 64 letters, digits, dots, underscores or hyphens")
        }
        let authority = try make(site: site, nowMilliseconds: nowMilliseconds)
        let server = try authority.issueServerCertificate(
            center: site, names: serverNames, nowMilliseconds: nowMilliseconds)
        let staging = "\(directory).new-\(UInt32.random(in: .min ... .max))"
        try PrivateFiles.makeDirectory(staging)
        defer {
            PrivateFiles.removeFolder(staging, files: [certificateFile, keyFile, ServerCertificate.file])
        }
        let keyPEM = try signing("write the authority's key") { try PEM.text(authority.key) }
        try PrivateFiles.save(keyPEM, to: "\(staging)/\(keyFile)")
        try PrivateFiles.save(authority.certificatePEM, to: "\(staging)/\(certificateFile)")
        try server.save(in: staging)
        guard try PrivateFiles.publish(folder: staging, as: directory) else {
            throw EpitopeError(
                .authorityExists, "\(directory) is not empty: an existing authority is never overwritten",
                remedy: "use the existing authority, or give another folder")
        }
        return authority
    }

    /// Loads an authority.
    ///
    /// - Throws: `authority-missing`, `certificate-malformed`, `certificate-expired`, `key-malformed`.
    public static func load(
        from directory: String, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> CertificateAuthority {
        let certificatePath = "\(directory)/\(certificateFile)"
        let keyPath = "\(directory)/\(keyFile)"
        guard let certificateText = try PrivateFiles.load(certificatePath),
            let keyText = try PrivateFiles.load(keyPath)
        else {
            throw EpitopeError(
                .authorityMissing, "\(directory) has no certificate authority",
                remedy: "create one with `epitope local-center init` (or `global-center init`), or give its folder")
        }
        let certificate = try PEM.certificate(certificateText, from: certificatePath)
        let key = try PEM.key(keyText, from: keyPath)
        guard key.publicKey == certificate.publicKey else {
            throw EpitopeError(
                .keyMalformed, "the key in \(keyPath) does not belong to the certificate in \(certificatePath)",
                remedy: "restore both files from one backup")
        }
        let constraints = try? certificate.extensions.basicConstraints
        guard case .isCertificateAuthority = constraints,
            certificate.publicKey.isValidSignature(certificate.signature, for: certificate)
        else {
            throw EpitopeError(
                .certificateMalformed, "\(certificatePath) is not the certificate of an authority",
                remedy: "restore the file from a backup")
        }
        try requireInForce(certificate, called: "the authority's certificate", nowMilliseconds: nowMilliseconds)
        return try CertificateAuthority(certificate: certificate, key: key)
    }

    init(certificate: Certificate, key: Certificate.PrivateKey) throws(EpitopeError) {
        self.certificate = certificate
        self.key = key
        self.expiresMilliseconds = certificate.notValidAfter.milliseconds
        (self.certificatePEM, self.fingerprint) = try signing("encode the authority's certificate") {
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
        try Self.requireValid(identity)
        try Self.requireEnrollable(identity)
        let token = EnrolmentToken(authorityFingerprint: fingerprint)
        let grant = EnrolmentGrant(identity: identity, expiresMilliseconds: nowMilliseconds + lifetimeMilliseconds)
        try await ledger.addToken(secretHash: token.secretHash, grant: grant)
        return token
    }

    static func requireValid(_ identity: Identity) throws(EpitopeError) {
        guard Identity.isValidName(identity.name) else {
            throw EpitopeError(
                .nameInvalid, "'\(identity.name)' is not a valid name",
                remedy: "use 1 to 64 letters, digits, dots, underscores or hyphens")
        }
    }

    /// A center's own certificate is issued with its authority, never by enrolment.
    static func requireEnrollable(_ identity: Identity) throws(EpitopeError) {
        guard identity.role != .center else {
            throw EpitopeError(
                .roleNotAllowed, "nobody can enrol as a center", remedy: "enrol as a host or as a local center")
        }
    }

    static func requireInForce(
        _ certificate: Certificate, called name: String, nowMilliseconds: Int64
    ) throws(EpitopeError) {
        let from = certificate.notValidBefore.milliseconds
        let to = certificate.notValidAfter.milliseconds
        guard nowMilliseconds >= from else {
            throw EpitopeError(
                .certificateNotYetValid,
                "\(name) begins at \(ChannelClock.text(from)), and this machine's clock shows \(ChannelClock.text(nowMilliseconds))",
                remedy: "set this machine's clock")
        }
        guard nowMilliseconds <= to else {
            throw EpitopeError(
                .certificateExpired,
                "\(name) has expired: it ended at \(ChannelClock.text(to)), and this machine's clock shows \(ChannelClock.text(nowMilliseconds))",
                remedy: "check this machine's clock; if it is right, get a new certificate (for a host: enrol again)")
        }
    }
}

/// Runs a step of the cryptographic library that fails only when memory is short or the library has a bug.
func signing<Value>(_ what: String, _ step: () throws -> Value) throws(EpitopeError) -> Value {
    do {
        return try step()
    } catch {
        throw EpitopeError(
            .internalFailure, "could not \(what): \(error)", remedy: "report this: it should not happen")
    }
}
