// SPDX-License-Identifier: Apache-2.0

package import Crypto
public import EpitopeModel
public import FoundationEssentials
import SwiftASN1
import X509

/// What a center asks the holder of its authority's key to sign. There is no more to a certificate that can be asked for: no
/// extension, no other usage, no authority below this one.
public struct CertificateOrder: Hashable, Sendable, Codable {
    /// What the certificate is for.
    public enum Purpose: String, Hashable, Sendable, Codable, CaseIterable {
        /// A host's or a site's first one, for a token.
        case enrolment
        /// A host's or a site's next one.
        case renewal
        /// The center's own.
        case server
    }

    public var purpose: Purpose
    public var identity: Identity
    /// The holder's public key: P-256, 65 bytes in the uncompressed form of X9.63.
    public var publicKey: Data
    /// The DNS names and IP addresses of a center; none for others.
    public var names: [String]
    /// For how long the certificate is to be valid, in days.
    public var validityDays: Int
    /// When it is issued, in milliseconds since 1970-01-01T00:00:00Z.
    public var issuedMilliseconds: Int64
    /// The time that its serial number says, where that is not when it is issued: after the identity's last revocation, when the clock
    /// was ahead at an earlier issue. Below 2 to the power of 48.
    public var serialMilliseconds: Int64?
    /// The fingerprint of the authority that is to issue it, in hexadecimal digits; `nil`: the current one.
    public var authority: String?

    public init(
        _ purpose: Purpose, for identity: Identity, publicKey: Data, names: [String] = [],
        validityDays: Int = CertificateAuthority.defaultValidityDays, issuedMilliseconds: Int64, serialMilliseconds: Int64? = nil,
        authority: String? = nil
    ) {
        self.purpose = purpose
        self.identity = identity
        self.publicKey = publicKey
        self.names = names
        self.validityDays = validityDays
        self.issuedMilliseconds = issuedMilliseconds
        self.serialMilliseconds = serialMilliseconds
        self.authority = authority
    }

    /// The key in a certificate signing request (PEM). Nothing else of the request counts: the name it asks for is ignored.
    ///
    /// - Throws: `request-malformed` when the request can't be read, isn't signed by its own key, or has a key that is not P-256.
    public static func publicKey(ofRequest text: String) throws(EpitopeError) -> Data {
        guard let request = try? CertificateSigningRequest(pemEncoded: text),
            request.publicKey.isValidSignature(request.signature, for: request),
            let key = P256.Signing.PublicKey(request.publicKey)
        else {
            throw EpitopeError(
                .requestMalformed, "the certificate signing request is malformed",
                remedy: "send a request as PEM, for a P-256 key and signed with it")
        }
        return key.x963Representation
    }

    /// Checks that the order is one that an authority takes, whatever its clock says.
    ///
    /// - Throws: `name-invalid`, `role-not-allowed`, `request-malformed` when the key is none.
    /// - Returns: the key.
    @discardableResult
    package func check() throws(EpitopeError) -> P256.Signing.PublicKey {
        try CertificateRules.requireValid(identity)
        if let serialMilliseconds, !(issuedMilliseconds..<1 << 48).contains(serialMilliseconds) {
            throw Self.malformed("its serial number says a time before it is issued, or none")
        }
        if purpose == .server {
            guard identity.role == .center else {
                throw Self.malformed("the center's own certificate can't be a \(identity.role.rawValue)'s")
            }
            guard CertificateRules.serverNameCounts.contains(names.count) else {
                throw EpitopeError(
                    .nameInvalid, "a center needs a server name",
                    remedy: "give 1 to 64 DNS names or IP addresses that hosts reach it by")
            }
        } else {
            try CertificateRules.requireEnrollable(identity)
            guard names.isEmpty else { throw Self.malformed("only a center's certificate has server names") }
        }
        guard let key = try? P256.Signing.PublicKey(x963Representation: publicKey) else { throw Self.malformed("its key is not P-256") }
        return key
    }

    private static func malformed(_ why: String) -> EpitopeError {
        EpitopeError(
            .requestMalformed, "the order of a certificate is malformed: \(why)",
            remedy: "update the center and its key process to the same version of epitope")
    }
}

/// Who can have certificates signed with an authority's key.
public protocol CertificateIssuing: Sendable {
    /// Issues a certificate.
    ///
    /// - Throws: `name-invalid`, `role-not-allowed`, `request-malformed`; `certificate-expired` when the authority's own time is up;
    ///   what bounds or the way to the key add.
    /// - Returns: the certificate as PEM.
    func issue(_ order: CertificateOrder) async throws(EpitopeError) -> String

    /// Whether it can have certificates of that authority signed.
    func hasKey(of authority: AuthorityCertificate) async -> Bool
}

extension CertificateIssuing {
    public func hasKey(of authority: AuthorityCertificate) async -> Bool { false }
}
