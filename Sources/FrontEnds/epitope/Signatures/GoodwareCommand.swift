// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareIndex
import HostFrontEnd

/// `epitope goodware`: builds, updates and queries goodware indexes.
struct GoodwareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "goodware", abstract: "Build, update and query a goodware index.",
        subcommands: [Build.self, Update.self, Info.self, Query.self])

    struct Build: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Build an index of all files in folders and all streams in captures.")

        @Argument(help: "Folders (or files) of goodware.") var sources: [String]
        @Option(help: "A capture of the site's own traffic. Can be repeated.") var capture: [String] = []
        @Option(name: [.short, .long], help: "The path of the index to write.") var output: String

        func run() throws {
            let start = ContinuousClock.now
            let summary = try GoodwareBuilder.build(
                sources: sources.map(absolute), captures: capture.map(absolute), output: output,
                progress: GoodwareReporter(since: start).showProgress)
            try GoodwareReporter(since: start).showSummary(summary, index: output)
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
            let summary = try GoodwareBuilder.update(
                index, adding: sources.map(absolute), captures: capture.map(absolute),
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
        }
    }

    struct Query: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Count the windows of 32 bytes that are proven absent from the goodware.")

        @Argument(help: "The index.") var index: String
        @Argument(help: "The bytes as hexadecimal digits.") var hex: String?
        @Option(help: "A file with the bytes.") var file: String?

        func run() throws {
            let bytes: [UInt8]
            switch (hex, file) {
            case (let hex?, nil):
                guard let decoded = Hex.decode(hex) else { throw ValidationError("the bytes are not pairs of hexadecimal digits") }
                bytes = decoded
            case (nil, let file?): bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
            default: throw ValidationError("give either hexadecimal digits or --file")
            }
            let goodware = try GoodwareFile(path: index).index
            guard bytes.count >= GoodwareIndex.windowLength else {
                throw ValidationError("a query needs at least \(GoodwareIndex.windowLength) bytes, not \(bytes.count)")
            }
            let start = ContinuousClock.now
            let absent = goodware.absentWindows(in: bytes)
            let time = start.duration(to: .now) / .microseconds(1)
            let count = absent.filter { $0 }.count
            Console.print("\(count) of \(absent.count) windows are proven absent")
            Console.print(String(format: "%.3f us a window", time / Double(absent.count)))
        }
    }
}

/// An index stores absolute paths, so that it can be updated from any folder.
private func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
}
