// SPDX-License-Identifier: Apache-2.0

import AgentPackages
import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd
import KeyProcess
import SecureChannel

/// `local-center agents`: what the center hands out to its hosts.
struct LocalCenterAgentsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agents", abstract: "Hand the host's application out to the hosts, and see which version each runs.",
        subcommands: [
            AgentsAddCommand.self, AgentsListCommand.self, AgentsOrderCommand.self, AgentsStopCommand.self, AgentsContinueCommand.self,
            AgentsRemoveCommand.self,
        ])
}

/// How an order spreads.
struct RolloutOptions: ParsableArguments {
    @Option(
        parsing: .unconditional, help: ArgumentHelp("How many of the hosts get it first, in percent; one at least.", valueName: "percent"))
    var share = Rollout.Terms().share

    @Option(parsing: .unconditional, help: ArgumentHelp("How many hosts may fail before no more get it.", valueName: "hosts"))
    var tolerate = Rollout.Terms().tolerated

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Within how long a host's new version is to protect, 10 to 3600; it goes back by itself then.", valueName: "seconds"))
    var wellWithin = Rollout.Terms().wellSeconds

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Within how long a host is to report, 60 to 604800; one that does not has failed.", valueName: "seconds"))
    var reportWithin = Rollout.Terms().reportSeconds

    func validate() throws {
        guard Rollout.Terms.shares.contains(share) else { throw ValidationError("--share takes 1 to 100") }
        guard Rollout.Terms.tolerations.contains(tolerate) else { throw ValidationError("--tolerate takes 0 to 1000000") }
        guard Rollout.Terms.wellTimes.contains(wellWithin) else { throw ValidationError("--well-within takes 10 to 3600") }
        guard Rollout.Terms.reportTimes.contains(reportWithin) else { throw ValidationError("--report-within takes 60 to 604800") }
    }

    var terms: Rollout.Terms {
        Rollout.Terms(share: share, tolerated: tolerate, wellSeconds: wellWithin, reportSeconds: reportWithin)
    }
}

/// `--architecture`.
struct ArchitectureOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Of which hosts: x86_64 or aarch64.", valueName: "architecture"))
    var architecture = AgentArchitecture.current.rawValue

    func validate() throws {
        guard AgentArchitecture(rawValue: architecture) != nil else { throw ValidationError("--architecture takes x86_64 or aarch64") }
    }

    var value: AgentArchitecture { AgentArchitecture(rawValue: architecture) ?? .current }
}

extension CenterStateOptions where Kind == LocalKind {
    /// Signs an order by a key process of this command's own, and stores it.
    func order(
        _ version: AgentVersion, for architecture: AgentArchitecture, files: [AgentManifest.File], kind: AgentManifest.Kind,
        terms: Rollout.Terms, in store: CenterStore
    ) async throws {
        let authority = try loadAuthority()
        guard try await presentAuthority(store) == authority else {
            throw EpitopeError(
                .authorityElsewhere, "another machine of this center has retired \(authority), which this one would sign the order by",
                remedy: "epitope \(Kind.name) rotate-authority --retire, here, too")
        }
        let manifest = AgentManifest(
            number: try await store.nextAgentOrder(nowMilliseconds: ChannelClock.system()), kind: kind, version: version,
            architecture: architecture, files: files)
        try CertificateAuthority.requireKey(in: keyDirectory)
        let program = try CenterProcess.program()
        let signed = try await OperatorSigning.sign(
            manifest, by: authority, program: program,
            arguments: [program, Kind.name, "key", "--key-folder", keyDirectory, "--sign-agents"])
        try await store.order(signed, terms: terms, by: Person.name)
        Console.print(
            "ordered version \(version) for \(architecture.rawValue) (order \(manifest.number)): \(terms.share) % of the hosts first, the rest when those are well"
        )
    }

    func requiredVersion(_ text: String, _ architecture: AgentArchitecture, in store: CenterStore) async throws -> StoredAgentVersion {
        let all = try await store.agentVersions().filter { $0.architecture == architecture }
        guard let version = AgentVersion(text), let found = all.first(where: { $0.version == version }) else {
            throw EpitopeError(
                .agentUnknown, "there is no version \(text) for \(architecture.rawValue)",
                remedy: all.isEmpty
                    ? "add one: `epitope local-center agents add FILE`"
                    : "there are: \(all.map { "\($0.version)" }.joined(separator: ", "))")
        }
        return found
    }
}

/// `agents add`.
struct AgentsAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Store a version of the host's application, sign it, and hand it to the hosts.",
        discussion: """
            FILE is a package of Epitope (.deb, .rpm, .tar.gz), or the program epitope-agent with epitope beside it. Version and architecture \
            are read from the programs. The order to run it is signed with the authority's key, so the command needs the right to read that: \
            the center itself can't have it signed.
            """)

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Argument(help: "The package or program.")
    var file: String

    @Flag(help: "Only store it: `agents order` hands it out.")
    var onlyStore = false

    @OptionGroup var rollout: RolloutOptions

    func run() async throws {
        let store = try stateOptions.openStore()
        let package = try AgentPackage(path: file)
        let isNew = try await store.addAgent(package.version, for: package.architecture, files: package.files, by: Person.name)
        Console.print(
            "\(isNew ? "stored" : "there is already") version \(package.version) for \(package.architecture.rawValue), "
                + "\(package.files.reduce(0) { $0 + $1.content.count } >> 20) MB")
        guard !onlyStore else { return }
        let latest = try await store.agentOrders().last { $0.signed.manifest.architecture == package.architecture }
        if let latest, !isNew, package.version == latest.version, latest.signed.manifest.kind == .update {
            return Console.print(
                "ordered already (order \(latest.signed.manifest.number)); for hosts that gave it back: epitope local-center agents order \(package.version)"
            )
        }
        if let latest, package.version < latest.version {
            throw EpitopeError(
                .agentDowngrade, "version \(package.version) is stored, and earlier than \(latest.version), which hosts are to run",
                remedy: "to take the hosts back to it: `epitope local-center agents order \(package.version) --back`")
        }
        try await stateOptions.order(
            package.version, for: package.architecture, files: package.files.map(\.file), kind: .update, terms: rollout.terms, in: store)
    }
}

/// `agents order`.
struct AgentsOrderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "order", abstract: "Have the hosts run a version that is stored: again, or an earlier one.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Argument(help: "The version, as in `agents list`.")
    var version: String

    @OptionGroup var architecture: ArchitectureOptions

    @Flag(help: "Also where it is earlier than the one that runs: without it, hosts refuse that.")
    var back = false

    @OptionGroup var rollout: RolloutOptions

    func run() async throws {
        let store = try stateOptions.openStore()
        let found = try await stateOptions.requiredVersion(version, architecture.value, in: store)
        let latest = try await store.agentOrders().last { $0.signed.manifest.architecture == found.architecture }
        if let latest, found.version < latest.version, !back {
            throw EpitopeError(
                .agentDowngrade, "version \(found.version) is earlier than \(latest.version), which hosts are to run: they would refuse it",
                remedy: "to take them back to it, add --back")
        }
        try await stateOptions.order(
            found.version, for: found.architecture, files: found.files, kind: back ? .back : .update, terms: rollout.terms, in: store)
    }
}

/// `agents stop`.
struct AgentsStopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Hand the version that was ordered last to no more hosts.",
        discussion: "Hosts that run it go on: `agents order VERSION --back` takes them to an earlier one.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var architecture: ArchitectureOptions

    func run() async throws {
        let order = try await stateOptions.openStore().setRollout(of: architecture.value, to: .stopped, by: Person.name)
        Console.print("version \(order.version) goes to no more hosts")
    }
}

/// `agents continue`.
struct AgentsContinueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "continue", abstract: "Hand the version that was ordered last to all hosts, whatever the first ones report.",
        discussion: "Hosts that gave it back, or refused it, don't try it again; who failed so far doesn't stop it any more.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var architecture: ArchitectureOptions

    func run() async throws {
        let order = try await stateOptions.openStore().setRollout(of: architecture.value, to: .rest, by: Person.name)
        Console.print("version \(order.version) goes to all hosts that ask")
    }
}

/// `agents remove`.
struct AgentsRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove a version that hosts are not to run.")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Argument(help: "The version, as in `agents list`.")
    var version: String

    @OptionGroup var architecture: ArchitectureOptions

    func run() async throws {
        let store = try stateOptions.openStore()
        let found = try await stateOptions.requiredVersion(version, architecture.value, in: store)
        try await store.removeAgent(found.version, for: found.architecture, by: Person.name)
        Console.print("removed version \(found.version) for \(found.architecture.rawValue)")
    }
}

/// `agents list`.
struct AgentsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the versions, how far the last order of each architecture has spread, and what each host runs."
    )

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        let store = try stateOptions.openStore()
        let list = AgentList(
            versions: try await store.agentVersions(), orders: try await store.agentOrders(), hosts: try await store.agentHosts())
        if json { return Console.print(try Console.json(list)) }
        for table in list.tables { Console.print(Console.table(table)) }
    }
}

/// What `agents list` shows.
struct AgentList: Encodable {
    struct Version: Encodable {
        var version: String
        var architecture: String
        var bytes: Int
        var addedMilliseconds: Int64
    }

    struct Order: Encodable {
        var number: Int64
        var kind: String
        var version: String
        var architecture: String
        var state: Rollout.State
        var reason: String?
        var share: Int
        var madeMilliseconds: Int64
        /// Hosts by how it fares there.
        var hosts: [String: Int]
    }

    struct Host: Encodable {
        var name: String
        var architecture: String
        var version: String
        var order: Int64
        var state: String
        var seenMilliseconds: Int64
        var detail: String
    }

    let versions: [Version]
    let orders: [Order]
    let hosts: [Host]

    init(versions: [StoredAgentVersion], orders: [AgentOrder], hosts: [AgentHost]) {
        self.versions = versions.map {
            Version(
                version: "\($0.version)", architecture: $0.architecture.rawValue, bytes: $0.files.reduce(0) { $0 + $1.size },
                addedMilliseconds: $0.addedMilliseconds)
        }
        self.orders = orders.map { order in
            Order(
                number: order.number, kind: order.signed.manifest.kind.rawValue, version: "\(order.version)",
                architecture: order.signed.manifest.architecture.rawValue, state: order.rollout.state, reason: order.reason,
                share: order.rollout.terms.share, madeMilliseconds: order.madeMilliseconds,
                hosts: Dictionary(hosts.filter { $0.about == order.number }.map { ($0.state.rawValue, 1) }, uniquingKeysWith: +))
        }
        self.hosts = hosts.map {
            Host(
                name: $0.name, architecture: $0.architecture.rawValue, version: $0.version, order: $0.about, state: $0.state.rawValue,
                seenMilliseconds: $0.seenMilliseconds, detail: $0.detail)
        }
    }

    var tables: [[[String]]] {
        [
            [["version", "architecture", "MB", "added"]]
                + versions.map { [$0.version, $0.architecture, "\($0.bytes >> 20)", Console.time(Double($0.addedMilliseconds))] },
            [["order", "kind", "version", "architecture", "state", "hosts", "reason"]]
                + orders.map { order in
                    [
                        "\(order.number)", order.kind, order.version, order.architecture, order.state.rawValue,
                        order.hosts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "), order.reason ?? "-",
                    ]
                },
            [["host", "architecture", "version", "order", "state", "seen", "detail"]]
                + hosts.map {
                    [$0.name, $0.architecture, $0.version, "\($0.order)", $0.state, Console.time(Double($0.seenMilliseconds)), $0.detail]
                },
        ]
    }
}
