// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd
import PacketCoding

/// `status`: what a center holds, for a person.
struct CenterStatusCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "status", abstract: "Show what came in, what was made of it, and what waits.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let status = try await stateOptions.openStore().status()
        guard !json else { return Console.say(try Console.json(status)) }
        Console.say(
            Console.table([
                ["reports", Self.counts(status.reports)], ["clusters", "\(status.clusters)"],
                ["updates", Self.counts(status.updates)], ["deliveries", Self.counts(status.deliveries)],
                ["forwards", Self.counts(status.forwards)],
            ]))
        if !status.latestUpdates.isEmpty {
            Console.say("")
            Console.say(
                Console.table(
                    [["signature", "rev", "sid", "origin", "state", "deliveries"]]
                        + status.latestUpdates.map { update in
                            [
                                update.signatureID, "\(update.revision)", update.sid.map(String.init) ?? "-",
                                update.origin, update.state.rawValue + (update.reason.map { " (\($0))" } ?? ""),
                                update.deliveries.sorted(by: <).map { "\($0): \($1)" }.joined(separator: "; "),
                            ]
                        }))
        }
        Console.say("")
        Console.say(CenterEventsCommand<Kind>.table(status.events))
    }

    private static func counts(_ counts: [String: Int]) -> String {
        counts.isEmpty ? "none" : counts.sorted(by: <).map { "\($1) \($0)" }.joined(separator: ", ")
    }
}

/// `events`: the audit trail.
struct CenterEventsCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "events", abstract: "Show the steps that packets and updates went through.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(help: "Only those of a packet or signature with this id.")
    var subject: String?

    @Option(help: "The most events to show, the latest.")
    var limit = 1000

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let events = try await stateOptions.openStore().events(subject: subject, limit: limit)
        Console.say(json ? try Console.json(events) : Self.table(events))
    }

    static func table(_ events: [CenterEvent]) -> String {
        Console.table(
            [["time", "step", "subject", "detail"]]
                + events.map { [Console.time($0.timeMilliseconds), $0.step.rawValue, $0.subject, $0.detail] })
    }
}

/// `show`: one packet, whole.
struct CenterShowCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "show", abstract: "Show a packet that the center holds, as JSON.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Argument(help: "The packet's id, as in `events`.")
    var packet: String

    @Flag(help: "Show what was made of it instead: the signatures of its cluster, each with its proof.")
    var proof = false

    func run() async throws {
        guard !proof else {
            return Console.say(try Console.json(try await stateOptions.openStore().updates(ofPacket: packet)))
        }
        Console.say(try await stateOptions.openStore().packet(id: packet).json(pretty: true))
    }
}

/// `withdraw`: a person undoes an update.
struct CenterWithdrawCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "withdraw",
            abstract: "Undo an update: its rule leaves the IDS with the next rule set, and none of it is made again.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Argument(help: "The signature's id, as in `status`.")
    var signature: String

    @Option(help: "Why, for those who look later.")
    var reason: String

    func run() async throws {
        try await stateOptions.openStore().withdraw(signatureID: signature, reason: reason)
        Console.say("withdrawn: \(signature)")
    }
}

/// `reinstate`: undoes a withdrawal.
struct CenterReinstateCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "reinstate", abstract: "Undo a withdrawal: the next report of the attack makes an update again.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Argument(help: "The signature's id, as in `status`.")
    var signature: String

    func run() async throws {
        try await stateOptions.openStore().reinstate(signatureID: signature)
        Console.say("reinstated: \(signature)")
    }
}
