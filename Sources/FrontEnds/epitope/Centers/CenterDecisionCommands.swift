// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import Glibc
import HostFrontEnd
import Scheduling

/// `withdraw`: withdraws an update.
struct CenterWithdrawCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "withdraw",
            abstract: "Withdraw an update: its rule is removed from the IDS, and no update of the signature is made again.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Argument(help: "The signature's id, as in `status`.")
    var signature: String

    @Option(parsing: .unconditional, help: "The reason, for the audit trail.")
    var reason: String

    func validate() throws {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw ValidationError("give a --reason: whoever looks later has no other")
        }
    }

    func run() async throws {
        let store = try stateOptions.openStore()
        try await store.withdraw(signatureID: signature, reason: reason, by: Person.name)
        let isServing = await stateOptions.wakeService(of: store)
        Console.print("withdrawn: \(signature)")
        guard !Kind.servesCenters else {
            return Console.print(isServing ? "sites are told now" : "sites are told when this center runs: it does not now")
        }
        Console.print(try await outcome(in: store, isServing: isServing))
    }

    /// What became of the rules in the IDS, as soon as that is known, and within a few seconds.
    private func outcome(in store: CenterStore, isServing: Bool) async throws -> String {
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
        try await store.reinstate(signatureID: signature, by: Person.name)
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
