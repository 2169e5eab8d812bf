// SPDX-License-Identifier: Apache-2.0

package import EpitopeModel
import FileAccess
import FoundationEssentials

/// The paths of a center's HTTPS endpoint. Packets, receipts and updates are protobuf messages (PacketCoding); the messages
/// below are JSON.
package enum ChannelPath {
    package static let enroll = "/v1/enroll"
    package static let renew = "/v1/renew"
    package static let packets = "/v1/packets"
    package static let offers = "/v1/packets/offered"
    package static let forwards = "/v1/forwards"
    package static let forwardOffers = "/v1/forwards/offered"
    package static let updates = "/v1/updates"
    package static let withheld = "/v1/withheld"
    package static let health = "/v1/health"
}

/// A host's, or a site's, request to enrol.
package struct EnrolmentRequest: Codable, Sendable {
    package var token: String
    /// The certificate signing request, as PEM.
    package var request: String
    /// The center that is meant to be asked, and the role that the sender means to have: where either isn't so, the token stays
    /// good. `nil` from senders of versions that did not say.
    package var center: CenterScope?
    package var role: Identity.Role?
    /// The name that the sender gives itself, for a token that leaves it that.
    package var name: String?

    package init(token: String, request: String, center: CenterScope? = nil, role: Identity.Role? = nil, name: String? = nil) {
        self.token = token
        self.request = request
        self.center = center
        self.role = role
        self.name = name
    }
}

/// A host's request for a new certificate before its old one expires.
package struct RenewalRequest: Codable, Sendable {
    package var request: String
    /// The fingerprints of the authorities that the sender trusts, in hexadecimal digits: it can use a certificate of these. `nil` from
    /// senders of versions that know of one.
    package var trusts: [String]?

    package init(request: String, trusts: [String]? = nil) {
        self.request = request
        self.trusts = trusts
    }
}

/// What a center says of its authorities with its health.
package struct AuthorityNews: Codable, Hashable, Sendable {
    /// A day at most.
    package static let maxSeconds = 86_400

    /// The fingerprint of the authority that its own certificate is from, in hexadecimal digits.
    package var presented: String
    /// The next authority, for who has no certificate of it.
    package var successor: SuccessorAnnouncement?

    package init(presented: String, successor: SuccessorAnnouncement? = nil) {
        self.presented = presented
        self.successor = successor
    }
}

/// A center's answer to an enrolment or a renewal.
package struct IssuedCertificate: Codable, Sendable {
    package var certificate: String
    package var authority: String
    /// What the center says of its authorities to who has this certificate; with a renewal.
    package var authorities: AuthorityNews?

    package init(certificate: String, authority: String) {
        self.certificate = certificate
        self.authority = authority
    }
}

/// A center's refusal: the fields of an ``EpitopeError``.
package struct Refusal: Codable, Sendable {
    package var code: EpitopeError.Code
    package var message: String
    package var remedy: String

    package init(_ error: EpitopeError) {
        code = error.code
        message = error.message
        remedy = error.remedy
    }

    /// As an error of this side: people read it, and nothing in it acts on a terminal.
    package var error: EpitopeError {
        func printable(_ text: String) -> String { RawPath.printable(text.utf8) }
        return EpitopeError(EpitopeError.Code(printable(code.rawValue)), printable(message), remedy: printable(remedy))
    }
}

/// JSON as it goes over the channel.
package enum ChannelJSON {
    /// Of a JSON message, in bytes: a token, a request or two certificates are a few KiB.
    package static let maxBytes = 32 * 1024

    package static func encode(_ message: some Encodable) throws -> [UInt8] {
        Array(try JSONEncoder().encode(message))
    }

    package static func decode<Message: Decodable>(_: Message.Type, from bytes: [UInt8]) throws -> Message {
        try JSONDecoder().decode(Message.self, from: Data(bytes))
    }
}
