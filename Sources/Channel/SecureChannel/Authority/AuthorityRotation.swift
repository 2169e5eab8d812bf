// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import X509

/// Replaces a center's authority, in two steps that a person decides on. Each may be cut short at any moment and made again.
///
/// 1. ``begin(nowMilliseconds:)`` makes the next authority, signed for by the current one. Hosts and sites learn of it, and get
///    certificates from it. Certificates of both count.
/// 2. ``retire()`` puts it in the current one's place, whose key is destroyed. Certificates of the former one count no more.
public struct AuthorityRotation: Sendable {
    private let directory: String
    private let keyDirectory: String

    /// - Parameters:
    ///   - directory: the center's folder of certificates.
    ///   - keyDirectory: the key's; it may be the same.
    public init(in directory: String, keyIn keyDirectory: String) {
        self.directory = directory
        self.keyDirectory = keyDirectory
    }

    /// Makes the next authority, or finishes what was begun. The key comes first: what a center doesn't know of is of no effect.
    ///
    /// - Throws: `authority-missing`, `certificate-malformed`, `certificate-expired`, `key-malformed`, `state-unwritable`.
    /// - Returns: the authorities, and whether the next one was made now.
    public func begin(nowMilliseconds: Int64 = ChannelClock.system()) throws(EpitopeError) -> (CenterAuthorities, isNew: Bool) {
        let keys = try finished(nowMilliseconds)
        var authorities = keys.authorities
        let isNew = authorities.next == nil
        if isNew {
            let next = try keys.current.makeNext(nowMilliseconds: nowMilliseconds)
            authorities = CenterAuthorities(keys.current.certificate, next: next.successor)
            try saveKeys([keys.current.key, next.key])
            try authorities.save(in: keyDirectory)
        } else if keys.next == nil {
            throw EpitopeError(
                .keyMalformed, "the key of the next authority is not in \(keyDirectory)/\(CertificateAuthority.keyFile)",
                remedy: "restore both files of that folder from one backup")
        }
        let known = try CenterAuthorities.load(from: directory, nowMilliseconds: nowMilliseconds)
        if known != authorities { try authorities.save(in: directory) }
        return (authorities, isNew)
    }

    /// Puts the next authority in the current one's place, first where the center looks: what it then orders it gets of a key process that
    /// still has both keys. The former one's key is overwritten.
    ///
    /// - Throws: as ``begin(nowMilliseconds:)``; `authority-missing` where there is no next one.
    /// - Returns: the authorities since then.
    public func retire(nowMilliseconds: Int64 = ChannelClock.system()) throws(EpitopeError) -> CenterAuthorities {
        let keys = try finished(nowMilliseconds)
        guard keys.authorities.next != nil else {
            // What was cut short is finished now.
            guard keys.authorities.former != nil else { throw Self.noNext(keyDirectory) }
            return keys.authorities
        }
        guard keys.next != nil else { throw Self.noNext(keyDirectory) }
        let authorities = keys.authorities.retired
        try authorities.save(in: directory)
        return try finished(nowMilliseconds).authorities
    }

    /// The keys, once a retirement that was cut short is finished.
    private func finished(_ nowMilliseconds: Int64) throws(EpitopeError) -> AuthorityKeys {
        let keys = try AuthorityKeys.load(from: keyDirectory, nowMilliseconds: nowMilliseconds)
        let known = try CenterAuthorities.load(from: directory, nowMilliseconds: nowMilliseconds)
        if known == keys.authorities {
            // Of the former authority the certificate is left, and not the key.
            if keys.authorities.next == nil { try saveKeys([keys.current.key]) }
            return keys
        }
        if known == keys.authorities.retired, let next = keys.next {
            try known.save(in: keyDirectory)
            try saveKeys([next.key])
            return try AuthorityKeys.load(from: keyDirectory, nowMilliseconds: nowMilliseconds)
        }
        // One that was begun is not known to the center yet.
        guard known.current == keys.authorities.current, known.next == nil else {
            throw EpitopeError(
                .keyMalformed, "\(keyDirectory) and \(directory) have different authorities",
                remedy: "restore both folders from one backup, or copy \(AuthorityCertificate.file) of the newer one to the other")
        }
        return keys
    }

    private func saveKeys(_ keys: [Certificate.PrivateKey]) throws(EpitopeError) {
        let text = try signing("write the authority's key") { try keys.map { try PEM.text($0) }.joined() }
        let path = "\(keyDirectory)/\(CertificateAuthority.keyFile)"
        if try PrivateFiles.load(path) != text { try PrivateFiles.save(text, to: path) }
    }

    private static func noNext(_ directory: String) -> EpitopeError {
        EpitopeError(
            .authorityMissing, "\(directory) has no next authority: there is nothing that could take the present one's place",
            remedy: "make one with `rotate-authority`, and retire the present one once every host has a certificate of the next")
    }
}

extension CertificateAuthority {
    /// Makes an authority of this one's name, and signs for it.
    func makeNext(nowMilliseconds: Int64) throws(EpitopeError) -> (successor: AuthoritySuccessor, key: Certificate.PrivateKey) {
        let next = try Self.make(subject: certificate.x509.subject, nowMilliseconds: nowMilliseconds)
        let made = next.certificate.x509
        let statement = try signing("sign for the next authority") {
            try Certificate(
                version: .v3, serialNumber: DatedSerialNumber.make(issuedMilliseconds: nowMilliseconds), publicKey: made.publicKey,
                notValidBefore: made.notValidBefore, notValidAfter: min(made.notValidAfter, certificate.x509.notValidAfter),
                issuer: certificate.x509.subject, subject: made.subject,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: made.publicKey)
                    AuthorityKeyIdentifier(keyIdentifier: try certificate.x509.extensions.subjectKeyIdentifier?.keyIdentifier)
                },
                issuerPrivateKey: key)
        }
        let statementPEM = try signing("encode a statement of the authority") { try PEM.text(statement) }
        return (AuthoritySuccessor(certificate: next.certificate, statementPEM: statementPEM), next.key)
    }
}
