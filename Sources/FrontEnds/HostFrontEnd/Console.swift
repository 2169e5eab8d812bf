// SPDX-License-Identifier: Apache-2.0

package import EpitopeModel
import FileAccess
import Foundation
import Glibc
import HostPipeline
package import Logging
import Synchronization

/// The output of commands.
///
/// Whoever has the other end of a standard stream can close it, fill it, or make it non-blocking (a protected command shares it): that
/// ends no program that protects.
package enum Console {
    /// The exit status of a command whose output can't be written (EX_IOERR of sysexits.h).
    static let outputFailed: Int32 = 74
    /// How long a line for a person waits for room, in milliseconds.
    private static let patienceMilliseconds: Int32 = 1000
    /// So much is written to a pipe at once that has room (PIPE_BUF).
    private static let maxPiece = 4096

    /// Prints a line on standard output, unbuffered: the process that started a server waits for it. A command whose output can't be
    /// written ends.
    package static func print(_ line: String) { printBytes((line + "\n").utf8) }

    /// A text whose first line is one of ours: with what a terminal might act on as numbers (``FileAccess/RawPath/printable(_:)``), and
    /// every further line indented, so that it is seen to belong to the first.
    package static func printable(lines text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { number, line in
            (number == 0 || line.hasPrefix(" ") ? "" : "  ") + RawPath.printable(line.utf8)
        }.joined(separator: "\n")
    }

    /// Prints bytes on standard output. A command whose output can't be written ends.
    package static func printBytes(_ bytes: some Sequence<UInt8>) {
        let error = write(Array(bytes), to: STDOUT_FILENO, patienceMilliseconds: -1)
        guard error != 0 else { return }
        log("the output could not be written: \(String(cString: strerror(error)))")
        exit(outputFailed)
    }

    /// Prints a line on standard error, after the name of the program; in a program that logs, in its log. One that finds no room is lost.
    package static func log(_ line: String) {
        if let logger { logger.warning("\(line)") } else { say("epitope: \(printable(lines: line))\n") }
    }

    /// Prints an error on standard error, as swift-argument-parser does; in a program that logs, in its log.
    package static func error(_ error: EpitopeError) {
        if let logger { logger.critical("\(error)") } else { say("Error: \(printable(lines: "\(error)"))\n") }
    }

    /// Of a program whose lines are those of a log; `nil`: its lines are for a person.
    package static var logger: Logger? {
        get { ownLogger.withLock { $0 } }
        set { ownLogger.withLock { $0 = newValue } }
    }

    private static let ownLogger = Mutex<Logger?>(nil)

    /// Prints a text on standard error as it is. One that finds no room is lost.
    package static func say(_ text: String) {
        _ = write(Array(text.utf8), to: STDERR_FILENO, patienceMilliseconds: patienceMilliseconds)
    }

    /// Writes all bytes, or as many as there is room for.
    ///
    /// - Parameter patienceMilliseconds: how long each piece waits for room; -1: for ever.
    /// - Returns: 0, or the errno of what failed (ETIMEDOUT: there was no room).
    static func write(_ bytes: [UInt8], to descriptor: Int32, patienceMilliseconds: Int32) -> Int32 {
        var done = 0
        while done < bytes.count {
            var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&room, 1, patienceMilliseconds)
            if ready == 0 { return ETIMEDOUT }
            if ready < 0 {
                if errno == EINTR { continue }
                return errno
            }
            let piece = bytes[done..<min(bytes.count, done + maxPiece)]
            let count = piece.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                done += count
            } else if errno != EINTR && errno != EAGAIN {
                return errno
            }
        }
        return 0
    }

    /// A value as indented JSON with sorted keys, for a terminal, too (``printable(json:)``).
    package static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return printable(json: String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// The same JSON, in which characters that a terminal might act on, or that change the order of a line, are written as `\\u` and
    /// their number. JSON has them in its texts alone, but for the ends of its lines.
    package static func printable(json: String) -> String {
        guard json.unicodeScalars.contains(where: { $0 != "\n" && $0.isUnprintable }) else { return json }
        var text = ""
        for scalar in json.unicodeScalars {
            guard scalar != "\n", scalar.isUnprintable else {
                text.unicodeScalars.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return text
    }

    /// How many characters a line of standard output has; `nil`: as many as it needs, for it is no terminal. `COLUMNS` overrides that.
    package static var width: Int? {
        if let columns = getenv("COLUMNS").flatMap({ Int(String(cString: $0)) }), columns > 0 { return columns }
        var size = winsize()
        guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    /// Rows in aligned columns; the first row is the heading.
    ///
    /// - Parameter width: of a line. Where the rows are longer, the last column is wrapped if there is room beside the others; else the
    ///   columns beyond the width stand in lines of their own below the first, each after its heading.
    package static func table(_ rows: [[String]], width: Int? = Console.width) -> String {
        // Reasons and names come from other machines, too: none acts on the terminal, nor breaks its line.
        let rows = rows.map { $0.map(inOneLine) }
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        if let width, widths.reduce(0, +) + 2 * max(0, columns - 1) > width {
            return NarrowTable(rows: rows, widths: widths, width: width).text
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                line += cell
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 2) }
            }
            return line
        }.joined(separator: "\n")
    }

    /// An error says what to do in a line of its own.
    private static func inOneLine(_ text: String) -> String {
        text.split(separator: "\n").map { $0.trimmingPrefix(while: { $0 == " " }) }.joined(separator: "; ").printable
    }

    /// A time in ISO 8601 form, in UTC to the millisecond.
    package static func time(_ milliseconds: Double) -> String {
        Date(timeIntervalSince1970: milliseconds / 1000).formatted(
            Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
