// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import SwiftASN1
import X509

/// The private keys of a center's authorities: of the current one, and of the next one, if there is one.
///
/// Their file and that of the certificates (``CenterAuthorities``) are matched by key: a key without a certificate is none. So whichever
/// of the two is replaced first, what is there in between is whole.
public struct AuthorityKeys: Sendable {
    public let authorities: CenterAuthorities
    public let current: CertificateAuthority
    /// `nil` also where its key isn't there.
    public let next: CertificateAuthority?

    /// Loads the authorities of a key's folder.
    ///
    /// - Throws: `authority-missing`, `certificate-malformed`, `certificate-expired`, `key-malformed`.
    public static func load(
        from directory: String, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> AuthorityKeys {
        // Between a look at one file and at the other both may have been replaced: nothing is amiss then.
        for _ in 0..<2 {
            do throws(EpitopeError) {
                return try read(from: directory, nowMilliseconds: nowMilliseconds)
            } catch  where error.code != .keyMalformed {
                throw error
            } catch {}
        }
        return try read(from: directory, nowMilliseconds: nowMilliseconds)
    }

    private static func read(from directory: String, nowMilliseconds: Int64) throws(EpitopeError) -> AuthorityKeys {
        let path = "\(directory)/\(CertificateAuthority.keyFile)"
        let authorities = try CenterAuthorities.load(from: directory, nowMilliseconds: nowMilliseconds)
        guard let text = try PrivateFiles.load(path) else { throw AuthorityCertificate.missing(from: directory) }
        var keys: [Certificate.PrivateKey] = []
        for document in (try? PEMDocument.parseMultiple(pemString: text)) ?? [] {
            keys.append(try PEM.key(document.pemString, from: path))
        }
        guard !keys.isEmpty else { throw PEM.unreadableKey(in: path) }
        func holder(of certificate: AuthorityCertificate) -> CertificateAuthority? {
            keys.first { $0.publicKey == certificate.x509.publicKey }.map { CertificateAuthority(certificate: certificate, key: $0) }
        }
        guard let current = holder(of: authorities.current) else {
            throw EpitopeError(
                .keyMalformed,
                "the key in \(path) does not belong to the certificate in \(directory)/\(AuthorityCertificate.file)",
                remedy: "restore both files from one backup")
        }
        return AuthorityKeys(authorities: authorities, current: current, next: authorities.next.flatMap { holder(of: $0.certificate) })
    }

    /// One that is not being replaced.
    public init(_ authority: CertificateAuthority) {
        self.init(authorities: CenterAuthorities(authority.certificate), current: authority, next: nil)
    }

    init(authorities: CenterAuthorities, current: CertificateAuthority, next: CertificateAuthority?) {
        self.authorities = authorities
        self.current = current
        self.next = next
    }

    /// The fingerprints of the authorities whose keys these are.
    package var fingerprints: [String] { [current, next].compactMap { $0.map { Hex.encode($0.fingerprint) } } }
}

extension AuthorityKeys: CertificateIssuing {
    /// Issues a certificate by the authority that the order names.
    ///
    /// - Throws: as ``CertificateAuthority/issue(_:)``; `authority-missing` where it is none of these.
    public func issue(_ order: CertificateOrder) throws(EpitopeError) -> String {
        let named = [current, next].compactMap(\.self).first { order.authority == nil || order.authority == Hex.encode($0.fingerprint) }
        return try (named ?? current).issue(order)
    }

    public func hasKey(of authority: AuthorityCertificate) -> Bool { fingerprints.contains(Hex.encode(authority.fingerprint)) }
}
