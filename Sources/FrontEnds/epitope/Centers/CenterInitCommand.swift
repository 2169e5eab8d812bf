// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd
import SecureChannel

/// `init`: makes a center's certificate authority, server certificate and store.
struct CenterInitCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "init", abstract: "Make the center's certificate authority, server certificate and store.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(help: "The center's name: letters, digits, dots, underscores, hyphens.")
    var name: String

    @Option(
        help: ArgumentHelp(
            "A DNS name or IP address that the center is reached by; may be given again.", valueName: "address"))
    var address: [String]

    func validate() throws {
        guard !address.isEmpty else { throw ValidationError("give at least one --address") }
    }

    func run() async throws {
        let authority = try CertificateAuthority.create(
            in: stateOptions.authorityDirectory, site: name, serverNames: address)
        _ = try CenterStore(path: stateOptions.storePath)
        Console.say(
            """
            made \(Kind.name) \(name) in \(stateOptions.directory), reached at \(address.joined(separator: ", "))
            authority's SHA-256 \(Hex.encode(authority.fingerprint))
            next: epitope \(Kind.name) token --host NAME, and epitope \(Kind.name) serve
            """)
    }
}

/// `token`: a one-time token for a host or a site.
struct CenterTokenCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "token",
            abstract: "Make a token with which one \(Kind.servesCenters ? "host or site" : "host") enrols, once.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>
    @OptionGroup var peer: PeerOptions<Kind>

    @Option(help: "How long the token can be used, in hours, 1 to 8760.")
    var validHours = 24

    func validate() throws {
        guard (1...8760).contains(validHours) else { throw ValidationError("--valid-hours takes 1 to 8760") }
    }

    func run() async throws {
        let store = try stateOptions.openStore()
        let token = try await stateOptions.loadAuthority().makeToken(
            for: peer.identity, in: store, lifetimeMilliseconds: Int64(validHours) * 3_600_000)
        Console.say("\(token)")
    }
}

/// `revoke`: turns a host or a site away.
struct CenterRevokeCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "revoke",
            abstract: "Turn away every certificate that was issued to a peer so far; a new token lets it in again.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>
    @OptionGroup var peer: PeerOptions<Kind>

    func run() async throws {
        try await stateOptions.openStore().revoke(peer.identity, nowMilliseconds: ChannelClock.system())
        Console.say("revoked \(peer.identity.role.rawValue) \(peer.identity.name)")
    }
}
