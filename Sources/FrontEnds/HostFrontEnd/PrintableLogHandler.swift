// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Logging
import Synchronization

/// Logs to standard error, for a person: `TIME level label: message key=value`, with the time as everywhere, in UTC to the millisecond
/// (``Console/time(_:)``). The texts of an event come from other machines, too: none acts on a terminal, nor looks like another event
/// (``Console/printable(lines:)``).
package struct PrintableLogHandler: LogHandler {
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
        let values = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        let line = Self.line(
            milliseconds: Date().timeIntervalSince1970 * 1000, level: event.level, label: label, text: "\(event.message)",
            metadata: values.map { ($0.key, "\($0.value)") })
        Self.output.withLock { _ in Console.say(line + "\n") }
    }

    /// One event as a line, with further ones below it, indented, where its text has several.
    package static func line(
        milliseconds: Double, level: Logger.Level, label: String, text: String, metadata: [(key: String, value: String)] = []
    ) -> String {
        let values = metadata.map { " \($0.key)=\(Console.printable(lines: $0.value))" }.joined()
        return "\(Console.time(milliseconds)) \(level.rawValue) \(label): \(Console.printable(lines: text))\(values)"
    }
}
