// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HostFrontEnd
import HostPipeline

/// `epitope host events`: the event log for a person.
struct HostEventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show what was detected on this host, and what became of it.",
        discussion: "Reads the event log, STATE/events.jsonl, also over its rotation.")

    @OptionGroup var stateOptions: HostStateOptions

    @Flag(name: .shortAndLong, help: "Go on with new events as they come.")
    var follow = false

    @Flag(help: "Print JSON, an object a line, as in the log.")
    var json = false

    @Option(parsing: .unconditional, help: "How many of the last events to show.")
    var limit = 100

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit takes 0 or more") }
    }

    func run() async throws {
        try stateOptions.requireDirectory()
        var reader = EventLogReader(directory: stateOptions.directory)
        let first = reader.next()
        for event in first.suffix(limit) { try show(event) }
        if !follow, first.isEmpty, !json { Console.log("no events yet in \(stateOptions.directory)") }
        while follow {
            try await Task.sleep(for: EventLogReader.interval)
            for event in reader.next() { try show(event) }
        }
    }

    private func show(_ event: HostEvent) throws {
        Console.print(json ? Console.printable(json: try EventLog.line(event)) : "\(event.time.toTheSecond) \(event.inWords)")
    }
}
