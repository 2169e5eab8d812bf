// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation
package import Logging
import Synchronization

/// Logs to standard error, an event a line, as JSON: for programs that read logs. Nothing in a line acts on a terminal.
package struct JSONLogHandler: LogHandler {
    private let label: String
    package var logLevel = Logger.Level.info
    package var metadata = Logger.Metadata()
    /// Lines of several threads are not mixed.
    private static let output = Mutex(())

    package init(label: String) { self.label = label }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var values = metadata
        for (key, value) in event.metadata ?? [:] { values[key] = value }
        let code = values.removeValue(forKey: "code").map { "\($0)" } ?? (event.error as? EpitopeError)?.code.rawValue
        let line = JSONLogLine(
            milliseconds: Date().timeIntervalSince1970 * 1000, level: event.level, label: label, text: "\(event.message)", code: code,
            metadata: values.mapValues { "\($0)" })
        Self.output.withLock { _ in Console.say(line.text + "\n") }
    }
}

/// One event as a line of JSON: `time` (RFC 3339, to the millisecond), `level`, `label`, `message`; `code` and `remedy` where the message
/// tells of an error with a stable code; `metadata`.
package struct JSONLogLine: Hashable, Sendable {
    /// Without the end of a line.
    package let text: String

    /// - Parameters:
    ///   - milliseconds: since 1970.
    ///   - code: the error's; `nil`: what the text says of one counts.
    package init(
        milliseconds: Double, level: Logger.Level, label: String, text: String, code: String? = nil, metadata: [String: String] = [:]
    ) {
        let told = ErrorText(text)
        var fields = [
            ("time", Console.time(milliseconds)), ("level", level.rawValue), ("label", label), ("message", told?.message ?? text),
        ]
        if let code = code ?? told?.code { fields.append(("code", code)) }
        if let told { fields.append(("remedy", told.remedy)) }
        var line = fields.map { "\(Self.quoted($0)):\(Self.quoted($1))" }.joined(separator: ",")
        if !metadata.isEmpty {
            let values = metadata.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key)):\(Self.quoted($0.value))" }
            line += ",\"metadata\":{" + values.joined(separator: ",") + "}"
        }
        self.text = "{" + line + "}"
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        // What else is no text becomes a number.
        return Console.printable(json: quoted) + "\""
    }
}

/// An error as it is printed, taken apart (``EpitopeModel/EpitopeError``).
private struct ErrorText {
    var message: String
    var code: String
    var remedy: String

    private static let remedyMark = "]\n  what to do: "

    init?(_ text: String) {
        // The last one: what is quoted in an error comes before.
        guard let mark = text.range(of: Self.remedyMark, options: .backwards),
            let bracket = text[..<mark.lowerBound].range(of: " [", options: .backwards)
        else { return nil }
        code = String(text[bracket.upperBound..<mark.lowerBound])
        guard !code.isEmpty,
            code.utf8.allSatisfy({
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-")
            })
        else { return nil }
        message = String(text[..<bracket.lowerBound])
        remedy = String(text[mark.upperBound...])
    }
}
