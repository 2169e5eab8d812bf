// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterServer
import CenterStore
import EpitopeModel
import HostFrontEnd
import SecureChannel

/// `token`: a token for a host or a site, or for several hosts.
struct CenterTokenCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "token", abstract: "Create an enrolment token for a \(PeerOptions<Kind>.noun), or for several hosts.",
            usage:
                "epitope \(Kind.name) token [--state <folder>] (--host <name> | --site <name> | --hosts <count> "
                + "--names <pattern> [--network <network>]) [--valid-hours <hours> | --valid-days <days>]\(Kind.servesCenters ? "" : " [--center <url>]")",
            discussion: """
                A token for one \(PeerOptions<Kind>.noun) works once. One for several hosts works for as many as it says, each with a new name by the \
                pattern: none that the center has heard of. Whoever has it can enrol machines until it is used up, so keep it short-lived, and \
                name the hosts' network. `tokens` lists who used it, and takes it back.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(help: ArgumentHelp("The host's name: letters, digits, dots, underscores, hyphens.", valueName: "name"))
    var host: String?

    @Option(
        help: ArgumentHelp(
            Kind.servesCenters
                ? "The site's name, which its local center enrols by."
                : "The name of a site that may read this one's updates: `peer-with` uses the token there.",
            valueName: "name"))
    var site: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("For so many hosts, 1 to 10000, that name themselves.", valueName: "count"))
    var hosts: Int?

    @Option(help: ArgumentHelp("The names of several hosts, with one * for any text: 'web-*'.", valueName: "pattern"))
    var names: String?

    @Option(help: ArgumentHelp("Where several hosts are, as the center sees it: 192.0.2.0/24.", valueName: "network"))
    var network: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long the token is valid, in hours, 1 to 8760; for several hosts 1 to 2160. (default: 24)", valueName: "hours"))
    var validHours: Int?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How long the token is valid, in days, 1 to 365; for several hosts 1 to 90.", valueName: "days"))
    var validDays: Int?

    @Option(
        name: .customLong("center"),
        help: ArgumentHelp(
            "Print the one command that installs a new host from this center, by the address that the host reaches it by.",
            valueName: "url",
            visibility: Kind.servesCenters ? .hidden : .default))
    var center: String?

    private var isForSeveral: Bool { hosts != nil }
    private var hours: Int { validHours ?? validDays.map { $0 * 24 } ?? 24 }

    func validate() throws {
        if center != nil, Kind.servesCenters { throw ValidationError("a global center installs no hosts: --center is for a local one") }
        guard [host, site, hosts.map(String.init)].count(where: { $0 != nil }) == 1 else {
            throw ValidationError("give one of --host NAME, --site NAME and --hosts COUNT")
        }
        guard validHours == nil || validDays == nil else { throw ValidationError("give one of --valid-hours and --valid-days") }
        guard !isForSeveral else { return try validateGroup() }
        guard names == nil, network == nil else { throw ValidationError("--names and --network are for several hosts: --hosts COUNT") }
        guard (1...8760).contains(validHours ?? 1) else { throw ValidationError("--valid-hours takes 1 to 8760") }
        guard (1...365).contains(validDays ?? 1) else { throw ValidationError("--valid-days takes 1 to 365") }
    }

    private func validateGroup() throws {
        guard let hosts, GroupGrant.hostCounts.contains(hosts) else { throw ValidationError("--hosts takes 1 to 10000") }
        guard let names, HostNamePattern(names) != nil else {
            throw ValidationError("--hosts needs --names PATTERN: letters, digits, dots, underscores, hyphens, and one * for any text")
        }
        if hosts > 1, !names.contains("*") {
            throw ValidationError(
                "--names \(names) is one host's name, which \(hosts) hosts can't have: put a * into it, such as \(names)-*")
        }
        if let network, IPNetwork(network) == nil { throw ValidationError("--network takes ADDRESS/LENGTH, such as 192.0.2.0/24") }
        guard (1...2160).contains(validHours ?? 1) else { throw ValidationError("for several hosts, --valid-hours takes 1 to 2160") }
        guard (1...90).contains(validDays ?? 1) else { throw ValidationError("for several hosts, --valid-days takes 1 to 90") }
    }

    /// The token; or the command that installs a host by it.
    private func show(_ token: EnrolmentToken, at center: CenterAddress?) {
        Console.print(center.map { InstallScript.command(center: $0, token: token) } ?? "\(token)")
    }

    func run() async throws {
        // A mistyped address leaves no token behind.
        let center = try center.map { (text) throws(EpitopeError) in try CenterAddress(text) }
        let store = try stateOptions.openStore()
        if center != nil, try await store.agentOrders().isEmpty {
            Console.log(
                "note: this center hands out no version yet, and the command fails until it does: `epitope \(Kind.name) agents add FILE`")
        }
        let authority = try await stateOptions.presentAuthority(store)
        let lifetime = Int64(hours) * 3_600_000
        if let hosts, let pattern = names.flatMap({ HostNamePattern($0) }) {
            let group = GroupGrant(
                maxHosts: hosts, names: pattern, network: network.flatMap { IPNetwork($0) },
                expiresMilliseconds: ChannelClock.system() + lifetime)
            return show(try await authority.makeToken(for: group, in: store), at: center)
        }
        let identity = site.map { Identity(role: .localCenter, name: $0) } ?? Identity(role: .host, name: host ?? "")
        let token = try await authority.makeToken(for: identity, in: store, lifetimeMilliseconds: lifetime)
        show(token, at: center)
        guard try await store.isEnrolled(identity) else { return }
        Console.log(
            "note: \(identity.name) has enrolled here before: whoever uses this token is the same \(identity.role.rawValue) to "
                + "this center, beside it. If that one is lost, or isn't yours, revoke it first and make a token then")
    }
}

/// `tokens`: the enrolment tokens, and the end of one.
struct CenterTokensCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "tokens", abstract: "List the enrolment tokens and who used them, or revoke one.",
            discussion: """
                Listed are tokens that can be used, and those for several hosts; others by --all. "id" is the beginning of the hash of its \
                secret, which nobody can enrol by. Who enrolled by a token that is revoked stays enrolled: `revoke` ends that.
                """)
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(help: ArgumentHelp("Revoke the token with this id.", valueName: "id"))
    var revoke: String?

    @Flag(help: "Also tokens for one that were used, have expired or were revoked.")
    var all = false

    @Flag(help: "As JSON, with all who used each.")
    var json = false

    func run() async throws {
        let store = try stateOptions.openStore()
        if let revoke {
            guard let token = try await store.revokeToken(id: revoke) else {
                throw EpitopeError(
                    .tokenNotOpen, "no token with the id '\(revoke)' can be used: there is nothing to revoke",
                    remedy: "look the id up in `epitope \(Kind.name) tokens`")
            }
            Console.print("revoked token \(token.id) for \(token.name), used \(token.used) of \(token.maxUses) times")
            if token.used > 0 { Console.print("who enrolled by it stays: \(token.uses.map(\.name).joined(separator: ", "))") }
            return
        }
        let tokens = try await store.enrolmentTokens().filter { all || $0.state == .open || $0.madeMilliseconds != nil }
        guard !json else { return Console.print(try Console.json(tokens)) }
        func time(_ milliseconds: Int64?) -> String { milliseconds.map { Console.time(Double($0)) } ?? "-" }
        Console.print(
            Console.table(
                [["id", "state", "role", "for", "network", "used", "valid until", "last used", "last used by"]]
                    + tokens.map { token in
                        [
                            token.id, token.state.rawValue, token.role.rawValue, token.name, token.network ?? "-",
                            "\(token.used) of \(token.maxUses)", time(token.expiresMilliseconds), time(token.usedMilliseconds),
                            token.uses.last.map { $0.name + ($0.address.map { " at \($0)" } ?? "") } ?? "-",
                        ]
                    }))
    }
}

extension EpitopeError.Code {
    /// No token of that id can be used.
    static let tokenNotOpen = EpitopeError.Code("token-not-open")
}
