// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import HostFrontEnd
import PatternScan

/// `epitope verify`: searches folders and captures for signatures.
struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Search folders and captures for signatures.",
        usage: "epitope verify <rules> ... (--in <path> ... | --capture <path> ...) [--most <most>] [--output <output>]",
        discussion: """
            RULES is a file of signatures as JSON (one or an array, the output of epitope extract, or signature updates), or \
            rules that Epitope wrote for Suricata, Snort, YARA, ClamAV (.ldb, .ndb) or as STIX; '-' is standard input. Rules of \
            another hand are named and not searched for. Files are searched whatever the signature's protocol and ports; captures \
            only in the streams that its rule would apply to. Holes of sparse files are passed over, as are the kernel's file \
            systems (proc, sysfs and the like).

            Exit status: 0 if nothing was found and everything was read, 1 if something was found, 2 if nothing was found and a \
            file, a part of a capture or a rule was not read, or after an error. What was not read is named and counted.
            """)

    @Argument(help: ArgumentHelp("Files with signatures or rules.", valueName: "rules"))
    var rules: [String]

    @Option(
        name: .customLong("in"), parsing: .upToNextOption,
        help: ArgumentHelp("Folders and files to search. Symbolic links are not followed.", valueName: "path"))
    var roots: [String] = []

    @Option(
        name: .customLong("capture"), parsing: .upToNextOption,
        help: ArgumentHelp("Captures to search: a file, a folder, or a path with * in its last part.", valueName: "path"))
    var captures: [String] = []

    @Option(
        name: .customLong("most"), parsing: .unconditional,
        help: "How many hits and how many skipped files to list at most. All are counted.")
    var maxListed = 50

    @Option(name: [.customShort("o"), .customLong("output")], help: "The output format: table or json.")
    var output = VerifyOutput.table

    func validate() throws {
        if rules.isEmpty { throw ValidationError("name a file of signatures or rules") }
        if roots.isEmpty && captures.isEmpty { throw ValidationError("name what to search: --in PATH, --capture PATH") }
        if maxListed < 0 { throw ValidationError("--most is a number of lines, at least 0") }
    }

    func run() async throws {
        let report: VerifyReport
        do {
            let rules = try VerifyRules(rules)
            for note in rules.notes { Console.log(note) }
            let search = VerifySearch(try SignatureScanner(rules.signatures), maxListed: maxListed)
            try search.files(under: roots)
            try search.streams(in: captures)
            report = search.report(refusals: rules.refusals)
        } catch let error as EpitopeError {
            Console.log(error.description)
            throw ExitCode(2)
        }
        switch output {
        case .table: Console.print(report.text)
        case .json: Console.print(try Console.json(report))
        }
        if report.exitStatus != 0 { throw ExitCode(report.exitStatus) }
    }
}

/// The output formats of `epitope verify`.
enum VerifyOutput: String, ExpressibleByArgument, CaseIterable {
    case table
    case json
}
