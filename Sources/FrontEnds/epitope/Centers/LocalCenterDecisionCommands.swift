// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import Correlation
import EpitopeModel
import HostFrontEnd
import Signatures

extension CenterStateOptions where Kind == LocalKind {
    /// Carries out an action, has the center that runs look at it, and says what it did.
    func perform(_ action: CenterAction, _ done: String, in store: CenterStore) async throws {
        let outcome = try await store.perform(action)
        let isServing = await wakeService(of: store)
        Console.print(done)
        outcome.show()
        if !isServing { Console.print("it takes effect when this center runs: it does not now") }
    }

    /// Carries out an action on a signature, and says what it did.
    func perform(on signature: SignatureArgument, _ action: (_ id: String) -> (action: CenterAction, done: String)) async throws {
        let store = try openStore()
        let (action, done) = action(try await signature.id(in: store))
        try await perform(action, done, in: store)
    }
}

extension ActionOutcome {
    /// Prints what an action took out of force, and what the center learned from it.
    func show() {
        for id in withdrawn { Console.print("withdrawn: \(id)") }
        for id in shared { Console.print("left, since others speak for it, too: \(id) (--shared withdraws it)") }
        for lesson in learned { Console.print("learned: \(lesson)") }
    }
}

/// A reason, which every decision against something has.
struct ReasonOptions: ParsableArguments {
    @Option(
        name: [.customLong("reason"), .customLong("why")], parsing: .unconditional,
        help: ArgumentHelp("The reason, for the audit log.", valueName: "text"))
    var reason: String

    func validate() throws {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw ValidationError("give a --reason: whoever looks later has no other")
        }
    }
}

/// A signature, by its id or the beginning of one.
struct SignatureArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The signature's id, as in `status` and `updates`, or its first digits.", valueName: "signature"))
    var text: String

    func id(in store: CenterStore) async throws -> String {
        // One that is not known here is the action's to refuse.
        if case .signature(let id)? = try? await store.identifier(text, in: LocalKind.name) { id } else { text }
    }
}

/// `updates`: what waits for a person, and what is only observed.
struct LocalCenterUpdatesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "updates", abstract: "List the updates that wait for a person, or are only observed.",
        discussion: """
            By the settings `mode` and `modes` an update goes out by itself, waits for a person (`approve`, `reject`), or is only observed: then \
            this list is all that comes of it. Near variants of what a person withdrew or rejected wait, too, whatever the mode.
            """)

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Flag(help: "Only those that wait for a person.")
    var waiting = false

    @Flag(help: "Only those that are observed.")
    var observed = false

    @Flag(help: "As JSON.")
    var json = false

    func run() async throws {
        let states: Set<DeliveryState> =
            waiting == observed ? [.waitingApproval, .observed] : waiting ? [.waitingApproval] : [.observed]
        let store = try stateOptions.openStore()
        let updates = try await store.heldUpdates(states)
        guard !json else { return Console.print(try Console.json(updates)) }
        guard !updates.isEmpty else {
            let modes = try await store.modes()
            return Console.print("none; mode: \(modes.mode.rawValue)\(modes.exceptions.map { ", \($0)" }.joined())")
        }
        Console.print(
            Console.table(
                [["signature", "rev", "sid", "cluster", "state", "since", "until", "would", "rests on", "because"]]
                    + updates.map { held in
                        [
                            held.signatureID, "\(held.revision)", held.sid.map(String.init) ?? "-", held.cluster.map(String.init) ?? "-",
                            held.state.rawValue, Console.time(Double(held.sinceMilliseconds)),
                            Console.time(Double(held.expiresMilliseconds)), held.update.mayDrop ? "drop" : "alert",
                            held.update.support?.summary ?? "-", held.reason,
                        ]
                    }))
    }
}

/// `approve`.
struct LocalCenterApproveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve", abstract: "Have an update go out that waits for a person.",
        discussion: """
            A person's word counts as confirmed: the rule is for the whole site, and drops where its proof and the settings allow that. It goes \
            out whatever is left of the day's quota, and later revisions of the same signature don't wait.
            """)

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var signature: SignatureArgument

    func run() async throws {
        try await stateOptions.perform(on: signature) { id in (.approve(signatureID: id), "approved: \(id)") }
    }
}

/// `reject`.
struct LocalCenterRejectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reject", abstract: "Withdraw an update that waits for a person: its signature does not come back by itself.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var signature: SignatureArgument
    @OptionGroup var reason: ReasonOptions

    func run() async throws {
        try await stateOptions.perform(on: signature) { id in (.reject(signatureID: id, reason: reason.reason), "rejected: \(id)") }
    }
}

/// `pin`.
struct LocalCenterPinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin", abstract: "Keep a rule in force: it does not expire, is not demoted, and no other signature takes its place.",
        discussion: """
            A pinned rule can be withdrawn, by a person here or by the global center. The pin is this center's: whoever reads its updates ends \
            them in time.
            """)

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var signature: SignatureArgument
    @OptionGroup var reason: ReasonOptions

    func run() async throws {
        try await stateOptions.perform(on: signature) { id in (.pin(signatureID: id, reason: reason.reason), "pinned: \(id)") }
    }
}

/// `unpin`.
struct LocalCenterUnpinCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpin", abstract: "Have a pinned rule end when its lifetime is over.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var signature: SignatureArgument

    func run() async throws {
        try await stateOptions.perform(on: signature) { id in (.unpin(signatureID: id), "no longer pinned: \(id)") }
    }
}

/// `lifetime`.
struct LocalCenterLifetimeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lifetime", abstract: "Have a signature's update end in so many days from now.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var signature: SignatureArgument

    @Option(parsing: .unconditional, help: ArgumentHelp("How long it stays in force, 1 to 3650.", valueName: "days"))
    var days: Int

    func validate() throws {
        guard (1...3650).contains(days) else { throw ValidationError("--days takes 1 to 3650") }
    }

    func run() async throws {
        try await stateOptions.perform(on: signature) { id in (.setLifetime(signatureID: id, days: days), "\(id) ends in \(days) days") }
    }
}
