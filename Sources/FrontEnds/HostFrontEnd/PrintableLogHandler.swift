// SPDX-License-Identifier: Apache-2.0

package import Logging

/// Logs to standard error; the texts of an event come from other machines, too: none acts on a terminal, nor looks like another event
/// (``Console/printable(lines:)``).
package struct PrintableLogHandler: LogHandler {
    private var base: StreamLogHandler

    package init(label: String) { base = .standardError(label: label) }

    package var logLevel: Logger.Level {
        get { base.logLevel }
        set { base.logLevel = newValue }
    }

    package var metadata: Logger.Metadata {
        get { base.metadata }
        set { base.metadata = newValue.mapValues(\.printable) }
    }

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue?.printable }
    }

    package func log(event: LogEvent) {
        var event = event
        event.message = "\(Console.printable(lines: event.message.description))"
        event.metadata = event.metadata?.mapValues(\.printable)
        base.log(event: event)
    }
}

extension Logger.MetadataValue {
    /// As text for a terminal.
    var printable: Logger.MetadataValue { .string(Console.printable(lines: "\(self)")) }
}
