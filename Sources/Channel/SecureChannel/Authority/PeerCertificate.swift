// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import SwiftASN1
// The library offers verification at a given time under this name only.
@_spi(FixedExpiryValidationTime) import X509

/// The verified certificate of the other end of a connection.
public struct PeerCertificate: Hashable, Sendable {
    public var identity: Identity
    /// When the certificate was issued. A revocation covers certificates issued before it.
    public var issuedMilliseconds: Int64
    /// When its time begins: before ``issuedMilliseconds``, for clocks that are slow.
    public var beginsMilliseconds: Int64
    public var expiresMilliseconds: Int64

    /// - Parameter graceMilliseconds: for how long after its end the certificate still counts.
    /// - Throws: `certificate-expired`, `certificate-not-yet-valid`.
    public func requireInForce(nowMilliseconds: Int64, graceMilliseconds: Int64 = 0) throws(EpitopeError) {
        let name = "the certificate of \(identity.role.rawValue) \(identity.name)"
        guard nowMilliseconds >= beginsMilliseconds else {
            throw EpitopeError(
                .certificateNotYetValid,
                "\(name) begins at \(ChannelClock.text(beginsMilliseconds)), and this center's clock shows \(ChannelClock.text(nowMilliseconds)): the center's clock is behind, or was ahead when the certificate was issued",
                remedy: "check the center's clock; what waits is sent once that time has come")
        }
        guard nowMilliseconds <= expiresMilliseconds + graceMilliseconds else {
            throw EpitopeError(
                .certificateExpired,
                "\(name) ended at \(ChannelClock.text(expiresMilliseconds)), and this center's clock shows \(ChannelClock.text(nowMilliseconds))",
                remedy: "check the center's clock; if it is right, enrol again with a new token")
        }
    }
}

extension CertificateAuthority {
    /// Checks a peer's certificate (DER): issued by this authority itself, in force, usable for the role it states.
    ///
    /// - Parameter graceMilliseconds: for how long after its end the certificate still counts.
    /// - Throws: `certificate-malformed`, `certificate-foreign`, `certificate-expired`, `certificate-not-yet-valid`.
    public func verify(
        certificateDER: [UInt8], nowMilliseconds: Int64, graceMilliseconds: Int64 = 0
    ) async throws(EpitopeError) -> PeerCertificate {
        guard let leaf = try? Certificate(derEncoded: certificateDER) else {
            throw Self.malformed("it cannot be read")
        }
        guard hasSigned(leaf) else {
            throw EpitopeError(
                .certificateForeign, "the certificate is not from this center's authority",
                remedy: "enrol at this center to get a certificate from it")
        }
        guard let identity = CertificateIdentity.read(from: leaf) else {
            throw Self.malformed("it does not state exactly one identity")
        }
        let peer = PeerCertificate(
            identity: identity, issuedMilliseconds: DatedSerialNumber.issuedMilliseconds(of: leaf),
            beginsMilliseconds: leaf.notValidBefore.milliseconds, expiresMilliseconds: leaf.notValidAfter.milliseconds)
        try peer.requireInForce(nowMilliseconds: nowMilliseconds, graceMilliseconds: graceMilliseconds)
        guard let usages = try? leaf.extensions.extendedKeyUsage, usages.contains(Self.usage(of: identity.role))
        else {
            throw Self.malformed("its key usage does not fit the role that it states")
        }
        // The rest of RFC 5280: path length, critical extensions, name constraints.
        var verifier = Verifier(rootCertificates: CertificateStore([certificate])) {
            // The dates were judged above, with the grace.
            RFC5280Policy(fixedExpiryValidationTime: Date(milliseconds: min(nowMilliseconds, peer.expiresMilliseconds)))
        }
        guard case .validCertificate = await verifier.validate(leaf: leaf, intermediates: CertificateStore()) else {
            throw Self.malformed("its chain breaks the rules of RFC 5280")
        }
        return peer
    }

    /// Whether this authority issued a certificate. Its own certificate does not count.
    func hasSigned(_ leaf: Certificate) -> Bool {
        leaf != certificate && leaf.issuer == certificate.subject
            && certificate.publicKey.isValidSignature(leaf.signature, for: leaf)
    }

    private static func malformed(_ why: String) -> EpitopeError {
        EpitopeError(
            .certificateMalformed, "the certificate is refused: \(why)",
            remedy: "enrol again to get a new certificate")
    }
}
