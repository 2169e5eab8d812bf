// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import Glibc
import HostFrontEnd
import Scheduling

/// `withdraw`: withdraws updates.
struct CenterWithdrawCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "withdraw",
            abstract: "Withdraw updates: their rules are removed from the IDS, and no update of the signatures is made again.",
            usage:
                "epitope \(Kind.name) withdraw [--state <folder>] (<signature> | --cluster <number> | --reporter <name> [--shared]) --reason <text>",
            discussion: """
                One signature's, all of a cluster, or all that rest on the word of one reporter alone. What a person withdrew doesn't come back by \
                itself: no update of the signature is made or taken, and near variants of it wait for a person (at a local center: `updates`). What the \
                center learns from it is printed.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Argument(help: "The signature's id, as in `status`.")
    var signature: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("All updates of that cluster, as `events` names it.", valueName: "number"))
    var cluster: Int64?

    @Option(
        help: ArgumentHelp(
            "All updates that rest on the word of that \(Kind.servesCenters ? "site (host:NAME: of that host)" : "host (site:NAME: of that site)") alone.",
            valueName: "name"))
    var reporter: String?

    @Flag(help: "With --reporter, also updates that others speak for, too.")
    var shared = false

    @OptionGroup var reason: ReasonOptions

    func validate() throws {
        guard [signature != nil, cluster != nil, reporter != nil].count(where: { $0 }) == 1 else {
            throw ValidationError("give one of a signature's id, --cluster NUMBER and --reporter NAME")
        }
        guard !shared || reporter != nil else { throw ValidationError("--shared is for --reporter") }
        if let identity, !Identity.isValidName(identity.name) {
            throw ValidationError("--reporter takes a name, or host:NAME or site:NAME")
        }
    }

    private var identity: Identity? {
        guard let reporter else { return nil }
        if reporter.hasPrefix("host:") { return Identity(role: .host, name: String(reporter.dropFirst(5))) }
        if reporter.hasPrefix("site:") { return Identity(role: .localCenter, name: String(reporter.dropFirst(5))) }
        return Identity(role: Kind.servesCenters ? .localCenter : .host, name: reporter)
    }

    private var scope: WithdrawalScope {
        if let identity { return .reporter(identity, isWithShared: shared) }
        return cluster.map { .cluster($0) } ?? .signature(signature ?? "")
    }

    func run() async throws {
        let store = try stateOptions.openStore()
        let outcome = try await store.perform(.withdraw(scope, reason: reason.reason))
        let isServing = await stateOptions.wakeService(of: store)
        outcome.show()
        guard !Kind.servesCenters else {
            return Console.print(isServing ? "sites are told now" : "sites are told when this center runs: it does not now")
        }
        guard let first = outcome.withdrawn.first else { return }
        let others = outcome.withdrawn.count > 1 ? " (the same of the others: see `status`)" : ""
        Console.print(try await self.outcome(of: first, in: store, isServing: isServing) + others)
    }

    /// What became of the rules in the IDS, as soon as that is known, and within a few seconds.
    private func outcome(of signature: String, in store: CenterStore, isServing: Bool) async throws -> String {
        let before = try await store.leavingRules(of: signature)
        var leaving = before
        let end = ContinuousClock.now + .seconds(5)
        while isServing, leaving.contains(where: { $0 == nil }), .now < end {
            try await Task.sleep(for: .milliseconds(50))
            leaving = try await store.leavingRules(of: signature)
        }
        guard !leaving.isEmpty else { return before.isEmpty ? "none of its rules was in the IDS" : "its rule has left the IDS" }
        guard isServing else { return "its rule leaves the IDS when this center runs: it does not now" }
        let reason = leaving.compactMap(\.self).first
        return "its rule leaves the IDS as soon as that answers" + (reason.map { ": \($0)" } ?? "")
    }
}

/// `reinstate`: undoes a withdrawal.
struct CenterReinstateCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "reinstate", abstract: "Undo a withdrawal: the rule is put back at once, as a new revision.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Argument(help: "The signature's id, as in `status`.")
    var signature: String

    func run() async throws {
        let store = try stateOptions.openStore()
        _ = try await store.perform(.reinstate(signatureID: signature))
        let isServing = await stateOptions.wakeService(of: store)
        Console.print("reinstated: \(signature)" + (isServing ? "" : "; it takes effect when this center runs: it does not now"))
        guard isServing, !Kind.servesCenters else { return }
        Console.print(try await outcome(in: store))
    }

    /// What became of the rule in the IDS, as soon as that is known, and within a few seconds.
    private func outcome(in store: CenterStore) async throws -> String {
        var coming = try await store.comingRules(of: signature)
        let end = ContinuousClock.now + .seconds(5)
        while coming.waiting.contains(where: { $0 == nil }), .now < end {
            try await Task.sleep(for: .milliseconds(50))
            coming = try await store.comingRules(of: signature)
        }
        if coming.waiting.isEmpty {
            return coming.isInForce ? "its rule is in the IDS again" : "no rule of it was in the IDS: its attack is proven anew"
        }
        let reason = coming.waiting.compactMap(\.self).first
        return "its rule is in the IDS again as soon as that answers" + (reason.map { ": \($0)" } ?? "")
    }
}

extension CenterStateOptions {
    /// Where a center listens for commands beside it.
    var wakeUpPath: String { "\(directory)/serve.wake" }

    /// Has the center that runs look at what a command has changed.
    ///
    /// - Returns: whether one runs.
    func wakeService(of store: CenterStore) async -> Bool {
        let isServing = WakeUpPipe.ring(path: wakeUpPath)
        // Over one database another center may do the work; it has heard of the change by that.
        return store.isFile ? isServing : (try? await store.workHolder()) != nil
    }
}

/// The person at the command line.
enum Person {
    /// Of who became root by sudo, that name.
    static var name: String { sudoUser ?? user }

    /// As the audit log tells it.
    static var actor: AuditActor { .person(user: user, sudoUser: sudoUser) }

    private static var user: String { UserName.known(getuid()) ?? "\(getuid())" }

    private static var sudoUser: String? {
        getuid() == 0 ? getenv("SUDO_USER").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } : nil
    }
}
