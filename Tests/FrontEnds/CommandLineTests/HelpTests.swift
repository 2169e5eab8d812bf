// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// What `--help` prints for every command, compared with files: a changed option or text shows in a review.
@Suite struct HelpTests {
    private static let snapshots = Snapshots(folder: "Tests/FrontEnds/CommandLineTests/Help")
    /// The programs that are installed.
    private static let programs = ["epitope", "epitope-agent"]

    /// A command as `--experimental-dump-help` describes it.
    private struct Described: Decodable {
        var commandName: String
        var subcommands: [Described]?

        /// The words of this command and of every one below it.
        func paths(under path: [String] = []) -> [[String]] {
            let own = path + [commandName]
            // `help` is swift-argument-parser's own.
            return [own] + (subcommands ?? []).filter { $0.commandName != "help" }.flatMap { $0.paths(under: own) }
        }
    }

    private struct Dump: Decodable {
        var command: Described
    }

    /// Every command of both programs, each the words that call it.
    private static func commands() async throws -> [[String]] {
        var found: [[String]] = []
        for program in programs {
            let run = try await Command.run(Command.built(program), ["--experimental-dump-help"])
            found += try JSONDecoder().decode(Dump.self, from: Data(run.output.utf8)).command.paths().map { [program] + $0.dropFirst() }
        }
        return found
    }

    private static func file(_ command: [String]) -> String { command.joined(separator: " ") + ".txt" }

    @Test func `the help of every command is as recorded`() async throws {
        for command in try await Self.commands() {
            let help = try await Command.run(
                Command.built(command[0]), Array(command.dropFirst()) + ["--help"], environment: ["COLUMNS": "100"])
            #expect(help.status == 0, "\(command): \(help.errors)")
            #expect(Self.snapshots.difference(help.output, from: Self.file(command)) == nil, "\(command)")
        }
    }

    @Test func `no help is recorded for a command that is gone`() async throws {
        let recorded = try FileManager.default.contentsOfDirectory(atPath: "\(PackageFolder.path)/\(Self.snapshots.folder)")
        #expect(try await Set(recorded).subtracting(Self.commands().map(Self.file)) == [])
    }

    @Test(arguments: [
        ("help nonsense", "there is no command 'epitope nonsense'"),
        ("help local-center nonsense", "there is no command 'epitope local-center nonsense'"),
        ("local-center servce", "there is no command 'epitope local-center servce'; did you mean 'epitope local-center serve'?"),
        ("help verfiy", "there is no command 'epitope verfiy'; did you mean 'epitope verify'?"),
        ("statsu", "did you mean 'epitope status'?"), ("goodware", "no error"), ("help", "no error"),
        ("help host status", "no error"), ("--help", "no error"), ("help run -- x", "no error"),
    ])
    func `a command that isn't there is told, with the name that was meant`(_ words: String, _ message: String) async throws {
        let run = try await Command.run(Command.built("epitope"), words.split(separator: " ").map(String.init))
        if message == "no error" {
            #expect(run.status == 0 && !run.errors.contains("Error"), "\(run.errors)")
        } else {
            #expect(run.status == 64 && run.errors.contains(message), "\(run.errors)")
        }
    }

    @Test func `the version is printed`() async throws {
        let run = try await Command.run(Command.built("epitope"), ["--version"])
        #expect(run.status == 0)
        #expect(run.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil, "\(run.output)\(run.errors)")
    }
}
