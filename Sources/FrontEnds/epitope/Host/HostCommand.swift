// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HostFrontEnd

/// `epitope host`: shows the state of this host, and keeps its agent running.
struct HostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host", abstract: "Show the state of this host, and what happened on it; keep its agent running.",
        subcommands: [HostStatusCommand.self, HostEventsCommand.self, HostKeepCommand.self, HostInstallCommand.self])
}

/// `epitope host status`.
struct HostStatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show where this host is enrolled, what centers say of it, which packets wait, and which ones were refused.")

    @OptionGroup var stateOptions: HostStateOptions

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let report = try await HostStatusReport(stateOptions)
        if json { return Console.print(try Console.json(report)) }
        for line in report.lines { Console.print(line) }
    }
}
