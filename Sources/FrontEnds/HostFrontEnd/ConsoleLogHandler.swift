// SPDX-License-Identifier: Apache-2.0

package import Logging

/// Logs to standard error as ``Console/log(_:)`` does: for a command whose reader is a person, and whose other lines look so.
package struct ConsoleLogHandler: LogHandler {
    package var logLevel = Logger.Level.info
    package var metadata = Logger.Metadata()

    package init() {}

    package subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let values = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        Console.log("\(event.message)" + values.map { " \($0.key)=\($0.value)" }.joined())
    }
}
