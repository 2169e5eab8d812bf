// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// A notice as a message of syslog (RFC 5424), with structured data or with CEF as its text.
public enum SyslogMessage {
    /// What the message says, and how.
    public enum Form: Hashable, Sendable {
        /// Structured data and a text.
        case structured
        /// ArcSight's Common Event Format.
        case cef
    }

    /// The element of structured data. 32473 is the enterprise number that RFC 5612 keeps for whoever has none.
    public static let structuredDataID = "epitope@32473"
    /// Facility 13, log audit (RFC 5424, 6.2.1).
    public static let defaultFacility = 13

    /// One message, as a datagram has it.
    ///
    /// - Parameter facility: 0 to 23.
    public static func bytes(_ notice: Notice, from sender: NoticeSender, as form: Form, facility: Int = defaultFacility) -> [UInt8] {
        let event = notice.event
        let header =
            "<\(facility * 8 + notice.severity.syslog)>1 \(Timestamp.text(event.timeMilliseconds)) \(name(sender.host)) epitope "
            + "\(name(sender.center)) \(event.kind.rawValue)"
        switch form {
        // A byte order mark says that the text is UTF-8 (6.4).
        case .structured: return Array("\(header) \(structuredData(notice)) \u{FEFF}\(notice.message)".utf8)
        case .cef: return Array("\(header) - ".utf8) + CEFMessage.bytes(notice, from: sender)
        }
    }

    /// One message of a stream: its length, a blank, and it (RFC 6587, 3.4.1; RFC 5425, 4.3).
    public static func counted(_ message: [UInt8]) -> [UInt8] { Array("\(message.count) ".utf8) + message }

    private static func structuredData(_ notice: Notice) -> String {
        let event = notice.event
        var parameters = [("id", notice.id), ("subject", event.subject), ("severity", notice.severity.rawValue)]
        if let grade = event.grade { parameters.append(("grade", grade.rawValue)) }
        if let sid = event.sid { parameters.append(("sid", "\(sid)")) }
        parameters += event.hosts.map { ("host", $0) } + event.addresses.map { ("address", $0.description) }
        parameters += [("sequence", "\(event.sequence)"), ("count", "\(notice.count)")]
        if notice.count > 1 { parameters.append(("first", Timestamp.text(notice.firstMilliseconds))) }
        return "[\(structuredDataID)" + parameters.map { " \($0.0)=\"\(escaped($0.1))\"" }.joined() + "]"
    }

    /// `"`, `\` and `]` get a backslash (6.3.3).
    private static func escaped(_ value: String) -> String {
        var escaped = ""
        for character in value {
            if character == "\"" || character == "\\" || character == "]" { escaped.append("\\") }
            escaped.append(character)
        }
        return escaped
    }

    /// A field of the header is printable ASCII without blanks; `-` where there is nothing.
    private static func name(_ text: String) -> String {
        let printable = String(decoding: text.utf8.filter { (0x21...0x7E).contains($0) }.prefix(128), as: UTF8.self)
        return printable.isEmpty ? "-" : printable
    }
}

/// A notice in ArcSight's Common Event Format, version 0.
public enum CEFMessage {
    /// The text, of one line.
    public static func bytes(_ notice: Notice, from sender: NoticeSender) -> [UInt8] {
        let event = notice.event
        let fields = ["Epitope", sender.center, sender.version, event.kind.rawValue, event.kind.title].map(field)
        var extensions = [
            ("rt", "\(event.timeMilliseconds)"), ("externalId", notice.id), ("cat", event.kind.group.rawValue),
            ("act", event.kind.rawValue), ("cnt", "\(notice.count)"), ("start", "\(notice.firstMilliseconds)"),
            ("end", "\(event.timeMilliseconds)"), ("dvchost", sender.host),
        ]
        if let host = event.hosts.first { extensions.append(("shost", host)) }
        if let address = event.addresses.first(where: { $0.unmapped.bytes.count == 4 }) {
            extensions.append(("src", address.unmapped.description))
        }
        if let address = event.addresses.first(where: { $0.unmapped.bytes.count == 16 }) {
            extensions += [("c6a2", address.description), ("c6a2Label", "Source IPv6 Address")]
        }
        extensions += [("cs1", event.subject), ("cs1Label", "subject")]
        if let grade = event.grade { extensions += [("cs2", grade.rawValue), ("cs2Label", "grade")] }
        if let sid = event.sid { extensions += [("cn1", "\(sid)"), ("cn1Label", "sid")] }
        extensions.append(("msg", notice.count == 1 ? event.detail : notice.message))
        return Array(
            ("CEF:0|" + fields.joined(separator: "|") + "|\(notice.severity.cef)|"
                + extensions.map { "\($0.0)=\(value($0.1))" }.joined(separator: " ")).utf8)
    }

    /// In the header `|` and `\` get a backslash.
    private static func field(_ text: String) -> String { escaped(text) { $0 == "|" || $0 == "\\" } }

    /// In an extension `=` and `\` get a backslash; a pipe does not.
    private static func value(_ text: String) -> String { escaped(text) { $0 == "=" || $0 == "\\" } }

    private static func escaped(_ text: String, where isMarked: (Character) -> Bool) -> String {
        var escaped = ""
        for character in text {
            if isMarked(character) { escaped.append("\\") }
            escaped.append(character.isNewline ? " " : character)
        }
        return escaped
    }
}
