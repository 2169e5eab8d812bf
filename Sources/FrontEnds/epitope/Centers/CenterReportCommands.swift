// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd
import Signatures

/// `status`: a center's counts, updates and latest events.
struct CenterStatusCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "status", abstract: "Show the center's reports, updates, deliveries and quotas, and the latest events.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let status = try await stateOptions.openStore().status()
        let link = Kind.isForwarding ? LinkReport(stateOptions, status) : nil
        let isServing = StateFolderLock.isHeld(in: stateOptions.directory)
        guard !json else {
            return Console.print(try Console.json(StatusWithLink(status: status, isServing: isServing, link: link)))
        }
        var rows = [
            ["center", isServing ? "runs" : "does not run: what follows is as it was left (epitope \(Kind.name) serve)"],
            ["reports", Self.counts(status.reports)], ["clusters", "\(status.clusters)"],
            ["updates", Self.counts(status.updates)], ["deliveries", Self.counts(status.deliveries)],
        ]
        if Kind.isForwarding { rows.append(["forwards", Self.counts(status.forwards)]) }
        rows.append(["quotas", Self.quotas(status.quotas)])
        if let link { rows.append(["global center", link.summary]) }
        let peers = Kind.isForwarding ? PeerFolders(stateOptions.peersDirectory).names : []
        if !peers.isEmpty { rows.append(["updates read of", peers.joined(separator: ", ")]) }
        Console.print(Console.table(rows))
        for warning in link?.warnings ?? [] { Console.print("warning: \(warning)") }
        if !status.latestUpdates.isEmpty {
            Console.print("")
            Console.print(
                Console.table(
                    [["signature", "rev", "sid", "origin", "state", "rests on", "deliveries"]]
                        + status.latestUpdates.map { update in
                            [
                                update.signatureID, "\(update.revision)", update.sid.map(String.init) ?? "-",
                                update.origin, update.state.rawValue + (update.reason.map { " (\($0))" } ?? ""),
                                update.support?.summary ?? "-",
                                update.deliveries.sorted(by: <).map { "\($0): \($1)" }.joined(separator: "; "),
                            ]
                        }))
        }
        if !status.waiting.isEmpty {
            Console.print("")
            Console.print(
                Console.table(
                    [["not published", "reporters", "because it"]]
                        + status.waiting.map { [$0.signatureID, "\($0.reporters)", $0.reason] }))
        }
        if !status.peers.isEmpty {
            Console.print("")
            Console.print(
                Console.table(
                    [["reporter", "trusted", "networks"]]
                        + status.peers.map { [$0.reporter, $0.isTrusted ? "yes" : "no", $0.networks.joined(separator: ", ")] }))
        }
        if !status.withheld.isEmpty {
            Console.print("")
            Console.print(
                Console.table(
                    [["host", "said at", "withheld that day"]]
                        + status.withheld.map { [$0.host, Console.time(Double($0.timeMilliseconds)), $0.counts.summary] }))
        }
        Console.print("")
        Console.print(CenterEventsCommand<Kind>.table(status.events))
    }

    /// The quotas that the center runs with.
    private static func quotas(_ quotas: [String: QuotaUse]) -> String {
        guard !quotas.isEmpty else { return "not known: no center has run here yet (epitope \(Kind.name) serve)" }
        return quotas.sorted { $0.key < $1.key }.map { name, use in
            let reopens = use.reopensMilliseconds.map { ", next at \(Console.time(Double($0)))" } ?? ""
            return "\(name) \(use.left) of \(use.limit) left\(reopens)"
        }.joined(separator: "; ")
    }

    private static func counts(_ counts: [String: Int]) -> String {
        counts.isEmpty ? "none" : counts.sorted(by: <).map { "\($1) \($0)" }.joined(separator: ", ")
    }
}

/// `events`: the audit trail.
struct CenterEventsCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "events", abstract: "Show the audit trail: the steps that packets and updates went through.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(help: "Show only the events of the packet or signature with this id, or these first digits of one, or of this name.")
    var subject: String?

    @Option(parsing: .unconditional, help: "Show so many of the latest events, 1 to 1000000.")
    var limit = 1000

    @Flag(help: "As JSON.")
    var json = false

    func validate() throws {
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit takes 1 to 1000000") }
    }

    func run() async throws {
        let store = try stateOptions.openStore()
        var events = try await store.events(subject: subject, limit: limit)
        if let subject, events.isEmpty, let found = try? await store.identifier(subject, in: Kind.name) {
            events = try await store.events(subject: found.id, limit: limit)
        }
        if let subject, events.isEmpty {
            throw EpitopeError(
                .subjectUnknown, "there is no event of '\(subject)'",
                remedy:
                    "give the id of a packet or signature, its first digits, or a peer's name, as `epitope \(Kind.name) events` shows them")
        }
        Console.print(json ? try Console.json(events) : Self.table(events))
    }

    static func table(_ events: [CenterEvent]) -> String {
        Console.table(
            [["time", "step", "subject", "detail"]]
                + events.map { [Console.time($0.timeMilliseconds), $0.step.rawValue, $0.subject, $0.detail] })
    }
}

extension EpitopeError.Code {
    /// The audit trail has nothing about that packet, signature or name.
    static let subjectUnknown = EpitopeError.Code("subject-unknown")
}
