// SPDX-License-Identifier: Apache-2.0

package import EpitopeModel
import SwiftASN1
import X509

/// What holds for the certificates of an authority, whoever issues or checks them.
enum CertificateRules {
    static func requireValid(_ identity: Identity) throws(EpitopeError) {
        guard Identity.isValidName(identity.name) else { throw .invalidName(identity.name) }
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

    /// The extended key usage of a role's certificate: centers are servers, hosts and local centers are clients.
    static func usage(of role: Identity.Role) -> ExtendedKeyUsage.Usage {
        role == .center ? .serverAuth : .clientAuth
    }

    /// How many names a center's certificate may have.
    static let serverNameCounts = 1...64

    /// A DNS name or IP address as it stands in a certificate.
    ///
    /// - Throws: `name-invalid`.
    static func serverName(_ name: String) throws(EpitopeError) -> GeneralName {
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
                remedy: name.utf8.allSatisfy { $0 < 0x80 }
                    ? "give the names and addresses that hosts reach the center by, without port or scheme"
                    : "write an internationalised name in its ASCII form (punycode, xn--...), as `idn` or a browser shows it")
        }
        return .dnsName(name)
    }
}

extension EpitopeError {
    /// A peer's name that breaks the rule of ``Identity/isValidName(_:)``.
    package static func invalidName(_ name: String) -> EpitopeError {
        EpitopeError(.nameInvalid, "'\(name)' is not a valid name", remedy: "use 1 to 64 letters, digits, dots, underscores or hyphens")
    }
}
