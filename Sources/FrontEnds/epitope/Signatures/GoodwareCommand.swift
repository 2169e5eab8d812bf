// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareIndex
import HostFrontEnd

/// `epitope goodware`: builds, extends and asks the goodware index.
struct GoodwareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "goodware", abstract: "Build, extend and ask the goodware index.",
        subcommands: [Build.self, Update.self, Info.self, Query.self])

    struct Build: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Index all files of folders, and streams of captures.")

        @Argument(help: "Folders (or files) of goodware.") var sources: [String]
        @Option(help: "A capture of the site's own traffic; may be repeated.") var capture: [String] = []
        @Option(name: [.short, .long], help: "The index to write.") var output: String

        func run() throws {
            let start = ContinuousClock.now
            let summary = try GoodwareBuilder.build(
                sources: sources.map(absolute), captures: capture.map(absolute), output: output,
                progress: GoodwareReporter(since: start).note)
            try GoodwareReporter(since: start).summarise(summary, index: output)
        }
    }

    struct Update: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add new and changed files to an index; what is gone stays goodware.")

        @Argument(help: "The index.") var index: String
        @Argument(help: "Further folders.") var sources: [String] = []
        @Option(help: "A further capture; may be repeated.") var capture: [String] = []

        func run() throws {
            let start = ContinuousClock.now
            let summary = try GoodwareBuilder.update(
                index, adding: sources.map(absolute), captures: capture.map(absolute),
                progress: GoodwareReporter(since: start).note)
            try GoodwareReporter(since: start).summarise(summary, index: index)
        }
    }

    struct Info: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show what an index was built from and what it costs.")

        @Argument(help: "The index.") var index: String
        @Flag(help: "Read all of it and compare its checksums.") var check = false

        func run() throws {
            let file = try GoodwareFile(path: index)
            if check { try file.check() }
            Console.say(GoodwareReporter.table(of: file))
            for source in file.sources { Console.say("source  \(source)") }
        }
    }

    struct Query: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask which windows of 32 bytes are proven to be in no goodware.")

        @Argument(help: "The index.") var index: String
        @Argument(help: "Bytes in hexadecimal digits.") var hex: String?
        @Option(help: "A file whose bytes to ask for.") var file: String?

        func run() throws {
            let bytes: [UInt8]
            switch (hex, file) {
            case (let hex?, nil):
                guard let decoded = Hex.decode(hex) else { throw ValidationError("the bytes are not hexadecimal digits, two a byte") }
                bytes = decoded
            case (nil, let file?): bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
            default: throw ValidationError("give either hexadecimal digits or --file")
            }
            let goodware = try GoodwareFile(path: index).index
            guard bytes.count >= GoodwareIndex.windowLength else {
                throw ValidationError("the index speaks of \(GoodwareIndex.windowLength) bytes and more, not of \(bytes.count)")
            }
            let start = ContinuousClock.now
            let absent = goodware.absentWindows(in: bytes)
            let time = start.duration(to: .now) / .microseconds(1)
            let count = absent.filter { $0 }.count
            Console.say("\(count) of \(absent.count) windows are proven absent")
            Console.say(String(format: "%.3f us a window", time / Double(absent.count)))
        }
    }
}

/// The index remembers its sources wherever it is updated from.
private func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
}
