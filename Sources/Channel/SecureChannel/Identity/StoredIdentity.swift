// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import SwiftASN1
import X509

/// The identity that enrolment stores on a host or a local center: its private key, its certificate, the authority that
/// it trusts, and the addresses of the site's centers. It is one file of mode 0600, so that key and certificate always belong together.
public struct StoredIdentity: Sendable, CustomStringConvertible {
    /// The identity that the certificate states.
    public let subject: Identity
    /// The centers that it is for, which are one site's.
    public let centers: CenterList
    /// The preferred one.
    public var center: CenterAddress { centers.first }
    /// By which they are reached; `nil`: straight, or by the proxy that the environment names.
    public let relay: RelayAddress?
    /// When the certificate's time begins: before it was issued, for clocks that are slow.
    public let beginsMilliseconds: Int64
    /// When the certificate was issued, by the center's clock.
    public let issuedMilliseconds: Int64
    public let expiresMilliseconds: Int64
    package let keyPEM: String
    package let certificatePEM: String
    package let authorityPEM: String
    /// What is trusted besides.
    package let trust: AuthorityTrust

    package static let file = "identity.json"

    /// The identity and its center. The key stays out of logs.
    public var description: String {
        "\(subject.role.rawValue) \(subject.name) at \(centers)"
    }

    /// Makes an identity of its parts, and checks that they belong together.
    ///
    /// - Throws: `key-malformed`, `certificate-malformed`, `certificate-foreign`.
    package init(
        centers: CenterList, keyPEM: String, certificatePEM: String, authorityPEM: String,
        trust: AuthorityTrust = AuthorityTrust(), relay: RelayAddress? = nil, from place: String = "the center's answer"
    ) throws(EpitopeError) {
        let key = try PEM.key(keyPEM, from: place)
        let certificate = try PEM.certificate(certificatePEM, from: place)
        let authority = try PEM.certificate(authorityPEM, from: place)
        guard key.publicKey == certificate.publicKey else {
            throw EpitopeError(
                .certificateMalformed, "the certificate in \(place) is not for the key of this host",
                remedy: "enrol again with a new token")
        }
        guard certificate.issuer == authority.subject,
            authority.publicKey.isValidSignature(certificate.signature, for: certificate)
        else {
            throw EpitopeError(
                .certificateForeign, "the certificate in \(place) is not from the center's authority",
                remedy: "enrol again with a new token")
        }
        guard let subject = CertificateIdentity.read(from: certificate) else {
            throw EpitopeError(
                .certificateMalformed, "the certificate in \(place) does not state an identity",
                remedy: "enrol again with a new token")
        }
        self.subject = subject
        self.centers = centers
        self.relay = relay
        self.beginsMilliseconds = certificate.notValidBefore.milliseconds
        self.issuedMilliseconds = DatedSerialNumber.issuedMilliseconds(of: certificate)
        self.expiresMilliseconds = certificate.notValidAfter.milliseconds
        self.keyPEM = keyPEM
        self.certificatePEM = certificatePEM
        self.authorityPEM = authorityPEM
        self.trust = trust
    }

    /// The same identity, at other centers of the site.
    func at(_ centers: CenterList) throws(EpitopeError) -> StoredIdentity {
        try StoredIdentity(
            centers: centers, keyPEM: keyPEM, certificatePEM: certificatePEM, authorityPEM: authorityPEM, trust: trust,
            relay: relay)
    }

    /// The identity's file in a folder.
    static func path(in directory: String) -> String { "\(directory)/\(file)" }

    /// Loads the identity that enrolment stored in a folder. An expired one is loaded too: the center refuses it.
    ///
    /// - Throws: `identity-missing`, `identity-malformed`, and what a damaged key or certificate gives.
    public static func load(from directory: String) throws(EpitopeError) -> StoredIdentity {
        let path = path(in: directory)
        guard let text = try PrivateFiles.load(path) else {
            throw EpitopeError(
                .identityMissing, "this machine is not enrolled: \(directory) has no identity",
                remedy: "run `epitope enroll --center URL --token TOKEN` with a token from the center")
        }
        guard let content = try? ChannelJSON.decode(Content.self, from: Array(text.utf8)),
            let centers = try? CenterList(parsing: content.centers ?? [content.center])
        else {
            throw EpitopeError(
                .identityMalformed, "\(path) cannot be read",
                remedy: "restore the file from a backup, or enrol again with a new token")
        }
        let relay = try content.relay.map { text throws(EpitopeError) in try RelayAddress(text) }
        return try StoredIdentity(
            centers: centers, keyPEM: content.key, certificatePEM: content.certificate,
            authorityPEM: content.authority, trust: content.trust ?? AuthorityTrust(), relay: relay, from: path)
    }

    /// Loads the identity of a folder; `nil` where this machine is not enrolled.
    ///
    /// - Throws: what ``load(from:)`` throws, but not `identity-missing`.
    public static func loadIfEnrolled(from directory: String) throws(EpitopeError) -> StoredIdentity? {
        guard try PrivateFiles.load(path(in: directory)) != nil else { return nil }
        return try load(from: directory)
    }

    /// Whether there is a file of an identity, usable or not.
    public static func isStored(in directory: String) -> Bool {
        do { return try PrivateFiles.load(path(in: directory)) != nil } catch { return true }
    }

    /// Stores the identity durably, in one step. The folder is created if it does not exist.
    public func save(in directory: String) throws(EpitopeError) {
        try PrivateFiles.makeDirectory(directory)
        let content = Content(
            center: center.description, centers: centers.addresses.map(\.description), key: keyPEM, certificate: certificatePEM,
            authority: authorityPEM, trust: trust.isEmpty ? nil : trust,
            relay: relay?.description)
        let bytes = try signing("encode the identity") { try ChannelJSON.encode(content) }
        try PrivateFiles.save(String(decoding: bytes, as: UTF8.self), to: Self.path(in: directory))
    }

    private struct Content: Codable {
        /// The first: what programs read that know of one.
        var center: String
        var centers: [String]?
        var key: String
        var certificate: String
        /// That the certificate is from.
        var authority: String
        /// `nil` but while the center replaces its authority.
        var trust: AuthorityTrust?
        var relay: String?
    }
}

/// A new private key, with the request to certify it.
struct KeyWithRequest {
    let keyPEM: String
    let requestPEM: String

    init() throws(EpitopeError) {
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        (keyPEM, requestPEM) = try signing("make a certificate signing request") {
            let request = try CertificateSigningRequest(
                version: .v1, subject: DistinguishedName(), privateKey: key, attributes: .init(),
                signatureAlgorithm: .ecdsaWithSHA256)
            return (try PEM.text(key), try request.serializeAsPEM().pemString + "\n")
        }
    }
}
