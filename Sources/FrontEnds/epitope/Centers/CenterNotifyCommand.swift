// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd
import NotificationDelivery
import Notifications
import SettingsFiles

/// `notify`: what other systems are told, seen by a person.
struct CenterNotifyCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "notify", abstract: "See how the receivers of notices fare, or send one a test message.",
            subcommands: [CenterNotifyTestCommand<Kind>.self, CenterNotifyListCommand<Kind>.self])
    }
}

/// `notify test`.
struct CenterNotifyTestCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "test", abstract: "Send a test message to a destination, and say what came back.",
            discussion: "Run it as the user who runs the center: secrets are read as it would read them. Nothing is tried again.")
    }

    @OptionGroup var settingsOptions: SettingsOptions

    @Argument(help: ArgumentHelp("The destination's name in the settings.", valueName: "name"))
    var name: String

    func run() async throws {
        let answer = try await Kind.notifications(settingsOptions.source).sendTest(to: name, from: .here(Kind.name))
        Console.print("\(name): \(answer)")
    }
}

/// `notify list`.
struct CenterNotifyListCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "list", abstract: "Show each destination: when it was told last, what failed last, what waits, what was dropped.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>
    @OptionGroup var settingsOptions: SettingsOptions

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let settings = try Kind.notifications(settingsOptions.source)
        var known = try await stateOptions.openStore().noticeStatus()
        for name in settings.destinations.names where known[name] == nil {
            known[name] = NoticeStatus(name: name)
        }
        let all = known.values.sorted { $0.name < $1.name }
        guard !json else { return Console.print(try Console.json(all)) }
        guard !all.isEmpty else { return Console.print("no destinations: the settings name none (--config)") }
        func time(_ milliseconds: Int64?) -> String { milliseconds.map { Console.time(Double($0)) } ?? "never" }
        Console.print(
            Console.table(
                [["destination", "kind", "last success", "last failure", "code", "waiting", "told", "refused", "dropped"]]
                    + all.map { status in
                        [
                            status.name, settings.destinations.groups[status.name]?.kind?.rawValue ?? "not in the settings",
                            time(status.lastSuccessMilliseconds), time(status.lastFailureMilliseconds), status.lastFailureCode ?? "-",
                            "\(status.waiting)", "\(status.told)", "\(status.refused)", "\(status.dropped)",
                        ]
                    }))
        for status in all { if let failure = status.lastFailure { Console.print("\(status.name): \(failure)") } }
    }
}
