// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import FileAccess
import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import HostFrontEnd
import InputFiles

/// `epitope goodware`: builds, updates and queries goodware indexes.
struct GoodwareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "goodware", abstract: "Build, update and query a goodware index.",
        subcommands: [Build.self, Update.self, Info.self, Query.self])

    struct Build: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Build an index of all files in folders and all streams in captures.",
            discussion: """
                Archives, compressed files and programs' compressed sections are unpacked, in one another too. Holes of sparse files \
                are passed over, as are the kernel's file systems (proc, sysfs and the like). What can't be read is named and counted, \
                here, in the index and in what is proven with it; if that is more than 5 % of the files, nothing is proven.
                """)

        @Argument(help: "Folders (or files) of goodware.") var sources: [String]
        @Option(help: "A capture of the site's own traffic. Can be repeated.") var capture: [String] = []
        @Option(name: [.short, .long], help: "The path of the index to write.") var output: String
        @Flag(help: "Replace an index that is there. To add to one, use update.") var force = false

        func run() throws {
            try checkOutput()
            let start = ContinuousClock.now
            let stop = StopRequest()
            let summary = try GoodwareBuilder.build(
                sources: sources.map(absolute), captures: capture.map(absolute), output: output, isCancelled: { stop.isMade },
                progress: GoodwareReporter(since: start).showProgress)
            try GoodwareReporter(since: start).showSummary(summary, index: output)
        }

        /// An index takes hours to build, and a center trusts whichever it finds: none is replaced unasked. Another file never is.
        private func checkOutput() throws(EpitopeError) {
            guard let status = try? FileStatus(path: output) else { return }
            let kind = status.kind == .regular ? (try? InputFile(output))?.kind : nil
            guard kind == .goodwareIndex || kind == .empty else {
                throw EpitopeError(
                    .goodwareExists, "\(output) exists, and is not a goodware index", remedy: "choose another path for --output")
            }
            guard force || kind == .empty else {
                throw EpitopeError(
                    .goodwareExists, "\(output) is a goodware index already, of \(status.identity.size) bytes",
                    remedy: "add to it with epitope goodware update, or replace it with --force")
            }
        }
    }

    struct Update: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add new and changed files to an index. Files that were deleted remain goodware.")

        @Argument(help: "The index.") var index: String
        @Argument(help: "Further folders.") var sources: [String] = []
        @Option(help: "A further capture. Can be repeated.") var capture: [String] = []

        func run() throws {
            let start = ContinuousClock.now
            let stop = StopRequest()
            let summary = try GoodwareBuilder.update(
                index, adding: sources.map(absolute), captures: capture.map(absolute), isCancelled: { stop.isMade },
                progress: GoodwareReporter(since: start).showProgress)
            try GoodwareReporter(since: start).showSummary(summary, index: index)
        }
    }

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show the sources and the size of an index.")

        @Argument(help: "The index.") var index: String
        @Flag(help: "Read the whole index and verify its checksums.") var check = false

        func run() throws {
            let file = try GoodwareFile(path: index)
            if check { try file.check() }
            Console.print(GoodwareReporter.table(of: file))
            for source in file.sources { Console.print("source  \(source)") }
            for skipped in file.unread.named { Console.print("not read  \(skipped.path): \(skipped.reason)") }
            let more = file.unread.count - UInt64(file.unread.named.count)
            if more > 0 { Console.print("not read  \(more) more") }
            if check { Console.print("all checksums are right") }
        }
    }

    struct Query: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Count the windows of 32 bytes that are proven absent from the goodware.",
            usage: "epitope goodware query <index> (<hex> | --file <file>)")

        @Argument(help: "The index.") var index: String
        @Argument(help: "The bytes as hexadecimal digits.") var hex: String?
        @Option(help: "A file with the bytes.") var file: String?

        func run() throws {
            let bytes = try queried()
            let goodware = try GoodwareFile(path: index)
            guard bytes.count >= GoodwareIndex.windowLength else {
                throw Self.malformed("\(bytes.count) bytes are too few: a window has \(GoodwareIndex.windowLength)")
            }
            let start = ContinuousClock.now
            let absent = goodware.index.absentWindows(in: bytes)
            try goodware.requireUnchanged()
            let time = start.duration(to: .now) / .microseconds(1)
            let count = absent.filter { $0 }.count
            Console.print("\(count) of \(absent.count) windows are proven absent")
            Console.print(String(format: "%.3f us a window", time / Double(absent.count)))
            if let warning = goodware.warning { Console.print(warning) }
        }

        /// In bytes: the longest file that is asked about.
        private static let maxFileBytes = 256 << 20

        private func queried() throws(EpitopeError) -> [UInt8] {
            switch (hex, file) {
            case (let hex?, nil):
                guard let bytes = Hex.decode(hex) else { throw Self.malformed("the bytes are not pairs of hexadecimal digits") }
                return bytes
            case (nil, let file?): return try InputFile(file).bytes(maxBytes: Self.maxFileBytes)
            default: throw Self.malformed("there are \(hex == nil ? "no bytes" : "bytes twice")")
            }
        }

        private static func malformed(_ why: String) -> EpitopeError {
            EpitopeError(
                .queryMalformed, "the index can't be asked: \(why)",
                remedy: "give at least \(GoodwareIndex.windowLength) bytes, as hexadecimal digits or with --file")
        }
    }
}

/// An index stores absolute paths, so that it can be updated from any folder.
private func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
}
