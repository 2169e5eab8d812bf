// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import HostFrontEnd
import PatternScan

/// `epitope verify`: seeks signatures in folders and captures.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Seek signatures in folders and captures.",
        discussion: """
            RULES is a file with signatures as JSON (one or an array, what epitope extract prints, also signature updates), or a file of Suricata
            rules as Epitope writes them; '-' is standard input. In files a signature is sought whatever its protocol
            and ports; in captures only in the streams that its rule would look at.

            Exit status: 0 nothing was found, 1 something was, 2 something went wrong.
            """)

    @Argument(help: ArgumentHelp("Files with signatures or rules.", valueName: "rules"))
    var rules: [String]

    @Option(
        name: .customLong("in"), parsing: .upToNextOption,
        help: ArgumentHelp("Folders and files to search. Symbolic links are not followed.", valueName: "path"))
    var roots: [String] = []

    @Option(
        name: .customLong("capture"), parsing: .upToNextOption,
        help: ArgumentHelp("Captures to search: a file, a folder, or a path with * in its last part.", valueName: "ring"))
    var captures: [String] = []

    @Option(help: "The most hits, and the most skipped files, that are listed; all are counted.")
    var most = 50

    @Option(name: [.customShort("o"), .customLong("output")], help: "How the result is written: table or json.")
    var output = VerifyOutput.table

    func validate() throws {
        if rules.isEmpty { throw ValidationError("name a file of signatures or rules") }
        if roots.isEmpty && captures.isEmpty { throw ValidationError("say where to search: --in PATH, --capture RING") }
        if most < 0 { throw ValidationError("--most is a number of lines, at least 0") }
    }

    func run() async throws {
        let report: VerifyReport
        do {
            let sought = try rules.flatMap { try VerifyRules.signatures(in: $0) }
            let search = VerifySearch(try SignatureScanner(sought), most: most)
            try search.files(under: roots)
            try search.streams(in: captures)
            report = search.report()
        } catch let error as EpitopeError {
            Console.note(error.description)
            throw ExitCode(2)
        }
        switch output {
        case .table: Console.say(report.text)
        case .json: Console.say(try Console.json(report))
        }
        if report.hitCount > 0 { throw ExitCode(1) }
    }
}

/// How `epitope verify` writes its result.
enum VerifyOutput: String, ExpressibleByArgument, CaseIterable {
    case table
    case json
}
