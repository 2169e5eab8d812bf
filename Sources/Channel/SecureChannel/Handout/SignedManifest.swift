// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import X509

/// What an authority says of a manifest.
public struct ManifestSignature: Hashable, Sendable, Codable {
    /// The fingerprint of the authority's certificate, in hexadecimal digits.
    public var authority: String
    /// ECDSA with P-256 and SHA-256 over the manifest's text, as DER, in base64.
    public var signature: String

    public init(authority: String, signature: String) {
        self.authority = authority
        self.signature = signature
    }
}

/// A manifest with the signatures of a center's authorities: of the current one, and of the next one while that replaces it.
///
/// Its text is the manifest's, and a line `signature AUTHORITY BASE64` for each.
public struct SignedManifest: Hashable, Sendable {
    public let manifest: AgentManifest
    public let signatures: [ManifestSignature]

    /// Of a text, in bytes.
    public static let maxTextBytes = 4096
    private static let maxSignatures = 4

    public init(_ manifest: AgentManifest, signatures: [ManifestSignature]) {
        self.manifest = manifest
        self.signatures = signatures
    }

    /// As it is stored and sent.
    public var text: String {
        manifest.text + signatures.map { "signature \($0.authority) \($0.signature)\n" }.joined()
    }

    /// - Throws: `agent-manifest-malformed`.
    public init(text: String) throws(EpitopeError) {
        guard text.utf8.count <= Self.maxTextBytes else { throw HandoutErrors.malformed("it is longer than \(Self.maxTextBytes) bytes") }
        let begin = text.firstRange(of: "\nsignature ").map { text.index(after: $0.lowerBound) } ?? text.endIndex
        manifest = try AgentManifest(text: String(text[..<begin]))
        var signatures: [ManifestSignature] = []
        for line in text[begin...].split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 3, words[0] == "signature", AgentManifest.isDigest(words[1]), signatures.count < Self.maxSignatures else {
                throw HandoutErrors.malformed("a signature of it can't be read")
            }
            signatures.append(ManifestSignature(authority: String(words[1]), signature: String(words[2])))
        }
        self.signatures = signatures
    }

    /// Makes sure that an authority that is trusted has signed the manifest.
    ///
    /// - Throws: `agent-unsigned`, `agent-foreign`, `agent-signature-wrong`.
    /// - Returns: which one has.
    @discardableResult
    public func verify(by trusted: [AuthorityCertificate]) throws(EpitopeError) -> AuthorityCertificate {
        guard !signatures.isEmpty else { throw HandoutErrors.unsigned(manifest) }
        var isNamed = false
        for authority in trusted {
            let fingerprint = Hex.encode(authority.fingerprint)
            for signature in signatures where signature.authority == fingerprint {
                isNamed = true
                if authority.hasSigned(manifest, signature) { return authority }
            }
        }
        throw isNamed ? HandoutErrors.signatureWrong(manifest) : HandoutErrors.foreign(manifest)
    }
}

extension AuthorityCertificate {
    fileprivate func hasSigned(_ manifest: AgentManifest, _ signature: ManifestSignature) -> Bool {
        guard let key = P256.Signing.PublicKey(x509.publicKey), let der = Data(base64Encoded: signature.signature),
            let parsed = try? P256.Signing.ECDSASignature(derRepresentation: der)
        else { return false }
        return key.isValidSignature(parsed, for: Data(manifest.text.utf8))
    }
}

extension CertificateAuthority {
    /// Signs a manifest.
    ///
    /// - Throws: `agent-manifest-malformed`, `certificate-expired` when the authority's own time is up.
    func sign(_ manifest: AgentManifest, nowMilliseconds: Int64) throws(EpitopeError) -> ManifestSignature {
        try manifest.check()
        try certificate.requireInForce(nowMilliseconds: nowMilliseconds)
        return try signing("sign a manifest") {
            let key = try P256.Signing.PrivateKey(pemRepresentation: try PEM.text(self.key))
            let signature = try key.signature(for: Data(manifest.text.utf8))
            return ManifestSignature(
                authority: Hex.encode(fingerprint), signature: signature.derRepresentation.base64EncodedString())
        }
    }
}

extension AuthorityKeys {
    /// Signs a manifest with each key that is there: hosts may trust the next authority already.
    ///
    /// - Throws: `agent-manifest-malformed`, `certificate-expired`.
    package func sign(
        _ manifest: AgentManifest, nowMilliseconds: Int64 = ChannelClock.system()
    ) throws(EpitopeError) -> [ManifestSignature] {
        var signatures = [try current.sign(manifest, nowMilliseconds: nowMilliseconds)]
        if let next { signatures.append(try next.sign(manifest, nowMilliseconds: nowMilliseconds)) }
        return signatures
    }
}

extension StoredIdentity {
    /// The authorities whose word counts on this machine for what it runs: that of its certificate, and the one that is proven to follow it.
    ///
    /// - Throws: `certificate-malformed`.
    public func authorities() throws(EpitopeError) -> [AuthorityCertificate] {
        var authorities: [AuthorityCertificate] = []
        for pem in [authorityPEM, trust.successor?.authority].compactMap(\.self) {
            authorities.append(try AuthorityCertificate(try PEM.certificate(pem, from: "the identity")))
        }
        return authorities
    }
}
