// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import FoundationEssentials
import Signatures

/// A notice for a program, as JSON by the form of Standard Webhooks: `type`, `timestamp` and `data`.
public enum WebhookMessage {
    /// The body of the request.
    public static func body(_ notice: Notice, from sender: NoticeSender) -> [UInt8] {
        let event = notice.event
        return JSONText.object([
            ("type", .string("epitope.\(event.kind.rawValue)")),
            ("timestamp", .string(Timestamp.text(event.timeMilliseconds))),
            (
                "data",
                .object([
                    ("id", .string(notice.id)),
                    ("event", .string(event.kind.rawValue)),
                    ("group", .string(event.kind.group.rawValue)),
                    ("title", .string(event.kind.title)),
                    ("severity", .string(notice.severity.rawValue)),
                    ("grade", event.grade.map { .string($0.rawValue) }),
                    ("subject", .string(event.subject)),
                    ("detail", .string(event.detail)),
                    ("sid", event.sid.map { .integer(Int64($0)) }),
                    ("hosts", .texts(event.hosts)),
                    ("addresses", .texts(event.addresses.map(\.description))),
                    ("sequence", .integer(event.sequence)),
                    ("count", .integer(Int64(notice.count))),
                    ("first", .string(Timestamp.text(notice.firstMilliseconds))),
                    ("subjects", notice.count > 1 ? .texts(notice.subjects) : nil),
                    ("center", .string(sender.center)),
                    ("host", .string(sender.host)),
                    ("version", .string(sender.version)),
                ])
            ),
        ]).bytes
    }
}

/// The signature of a webhook by Standard Webhooks: HMAC-SHA-256 over the id, the time and the body, each with a dot between.
public struct WebhookSignature: Sendable {
    /// Of 24 to 64 bytes, as Standard Webhooks asks for.
    private let key: SymmetricKey

    /// Reads a secret: `whsec_` and the key in base64, as Standard Webhooks writes it; blanks and line ends around it don't count.
    ///
    /// - Returns: `nil` where it isn't one, or the key is not of 24 to 64 bytes.
    public init?(secret: [UInt8]) {
        let words = String(decoding: secret, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 1, let text = words.first else { return nil }
        guard text.hasPrefix("whsec_"), let key = Data(base64Encoded: String(text.dropFirst("whsec_".count))), (24...64).contains(key.count)
        else { return nil }
        self.key = SymmetricKey(data: key)
    }

    /// The headers of a request.
    ///
    /// - Parameter seconds: since 1970, when it is sent: a receiver refuses what is old.
    public func headers(id: String, seconds: Int64, body: [UInt8]) -> [(name: String, value: String)] {
        let signed = Array("\(id).\(seconds).".utf8) + body
        let code = HMAC<SHA256>.authenticationCode(for: signed, using: key)
        return [
            ("webhook-id", id), ("webhook-timestamp", "\(seconds)"), ("webhook-signature", "v1,\(Data(code).base64EncodedString())"),
        ]
    }
}
