// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterAnalysis
import CenterStore
import Correlation
import EpitopeModel
import Foundation
import HostFrontEnd
import LocalCenter
import SecureChannel
import Signatures

/// `simulate`: what rules, or settings, would have hit in the captures.
struct LocalCenterSimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Show what a rule, or other settings, would have hit in the captures of the last days.",
        usage:
            "epitope local-center simulate [--state <folder>] (<rule> ... | --policy <file>) [--days <days>] [--capture <path> ...] [--json]",
        discussion: """
            RULE is a signature's id, or its first digits, or a file of signatures or of rules that Epitope wrote (as `epitope verify` reads \
            them). With --policy, what the settings in a file would make of each update that the center has now: whether it goes out, waits or \
            is observed, drops or alerts. Either way each rule is tried over the captures: those of --capture, else of the settings, else those \
            that the center was last served with. Nothing is changed, and nothing goes live.

            What was looked at is said: files, the time that their traffic is of, and what could not be read. It is no engine: Suricata's own \
            variables, thresholds and pass rules are not applied. Hits that engines report (sightings) are not kept by the center, and not \
            counted.
            """)

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Argument(help: ArgumentHelp("Signatures' ids, or files of signatures or rules.", valueName: "rule"))
    var rules: [String] = []

    @Option(help: ArgumentHelp("Settings, as `serve --config` takes them.", valueName: "file"))
    var policy: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Look at traffic of so many days, 1 to 3650.", valueName: "days"))
    var days = 7

    @Option(
        name: .customLong("capture"), parsing: .upToNextOption,
        help: ArgumentHelp("Captures: a file, a folder, or a path with * in its last part.", valueName: "path"))
    var captures: [String] = []

    @Flag(help: "As JSON.")
    var json = false

    func validate() throws {
        guard rules.isEmpty != (policy == nil) else { throw ValidationError("give rules, or --policy FILE") }
        guard (1...3650).contains(days) else { throw ValidationError("--days takes 1 to 3650") }
        try requirePaths([("--policy", policy)] + captures.map { ("--capture", $0) })
    }

    func run() async throws {
        let store = try stateOptions.openStore()
        var forecasts: [PolicyForecast] = []
        var sets = captures
        if let policy {
            let settings = try LocalCenterConfiguration.load(path: policy)
            forecasts = try await store.forecast(by: settings.modePolicy, dropsFrom: settings.dropFrom)
            if sets.isEmpty { sets = settings.captures }
        }
        if sets.isEmpty { sets = try await store.knownCaptures() }
        guard !sets.isEmpty else {
            throw EpitopeError(
                .capturesUnknown, "there are no captures to look at: the settings name none, and the center was served with none",
                remedy: "give them by --capture")
        }
        var tried = forecasts.map { RuleSimulation.Rule($0.update.signature, narrowedTo: $0.update.support?.narrowedTo) }
        for rule in rules { tried += try await self.rules(rule, in: store) }
        guard !tried.isEmpty else { return Console.print("the center has no update in force, on its way or held") }
        let report = try RuleSimulation.run(tried, over: sets, since: ChannelClock.system() - Int64(days) * 86_400_000)
        if json { return Console.print(try Console.json(Outcome(report: report, policy: forecasts.map(Outcome.Forecast.init)))) }
        show(report, forecasts)
    }

    private func rules(_ text: String, in store: CenterStore) async throws -> [RuleSimulation.Rule] {
        if FileManager.default.fileExists(atPath: text) {
            let read = try VerifyRules([text])
            for note in read.notes { Console.log(note) }
            return read.signatures.map { RuleSimulation.Rule($0) }
        }
        guard case .signature(let id) = try await store.identifier(text, in: LocalKind.name),
            let update = try await store.updates(ofSignature: id).last
        else {
            throw EpitopeError(
                .signatureUnknown, "\(text) is no signature of this center, and no file",
                remedy: "look up the signature's id in `status` or `updates`, or give a file of signatures or rules")
        }
        return [RuleSimulation.Rule(update.signature, narrowedTo: update.support?.narrowedTo)]
    }

    private func show(_ report: RuleSimulation.Report, _ forecasts: [PolicyForecast]) {
        func time(_ milliseconds: Int64?) -> String { milliseconds.map { Console.time(Double($0)) } ?? "-" }
        let hits = report.hits.map { hits in
            [
                hits.signatureID, "\(hits.streams)", "\(hits.clients)", "\(hits.servers)", time(hits.firstMilliseconds),
                time(hits.lastMilliseconds), hits.examples.first ?? "-",
            ]
        }
        let columns = ["signature", "streams hit", "clients", "servers", "first", "last", "such as"]
        if forecasts.isEmpty {
            Console.print(Console.table([columns] + hits))
        } else {
            let would = zip(forecasts, hits).map { forecast, hits in
                [forecast.state?.rawValue ?? "-", forecast.mode.rawValue, forecast.mayDrop ? "drop" : "alert"] + hits
            }
            Console.print(Console.table([["now", "would be", "would"] + columns] + would))
        }
        Console.print("")
        Console.print(
            "looked at \(report.files) files, \(report.streams) streams, \(report.bytes) bytes, of \(time(report.firstMilliseconds)) to "
                + "\(time(report.lastMilliseconds)); asked for: since \(time(report.sinceMilliseconds))"
                + (report.olderFiles > 0 ? "; \(report.olderFiles) files are older" : ""))
        for text in report.unread { Console.print("not read: \(text)") }
        if report.streams == 0 { Console.print("no traffic of that time is there: that nothing was hit says nothing") }
    }

    private struct Outcome: Encodable {
        struct Forecast: Encodable {
            var signatureID: String
            var now: String?
            var mode: String
            var reason: String
            var mayDrop: Bool

            init(_ forecast: PolicyForecast) {
                (signatureID, now) = (forecast.update.signature.id, forecast.state?.rawValue)
                (mode, reason, mayDrop) = (forecast.mode.rawValue, forecast.reason, forecast.mayDrop)
            }
        }

        var report: RuleSimulation.Report
        var policy: [Forecast]
    }
}

extension EpitopeError.Code {
    /// A simulation has no captures.
    static let capturesUnknown = EpitopeError.Code("captures-unknown")
}
