// SPDX-License-Identifier: Apache-2.0

package import EpitopeModel
import Foundation

/// The output of commands.
package enum Console {
    /// Prints a line on standard output, unbuffered: the process that started a server waits for it.
    package static func print(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }

    /// Prints a line on standard error, after the name of the program.
    package static func log(_ line: String) {
        FileHandle.standardError.write(Data("epitope: \(line)\n".utf8))
    }

    /// Prints an error on standard error, as swift-argument-parser does.
    package static func error(_ error: EpitopeError) {
        FileHandle.standardError.write(Data("Error: \(error)\n".utf8))
    }

    /// A value as indented JSON with sorted keys.
    package static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// Rows in aligned columns; the first row is the heading.
    package static func table(_ rows: [[String]]) -> String {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            return line
        }.joined(separator: "\n")
    }

    /// A time in ISO 8601 form, in UTC to the millisecond.
    package static func time(_ milliseconds: Double) -> String {
        Date(timeIntervalSince1970: milliseconds / 1000).formatted(
            Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
