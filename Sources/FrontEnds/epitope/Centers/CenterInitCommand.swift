// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import FileAccess
import HostFrontEnd
import SecureChannel

/// `init`: creates a center's certificate authority, server certificate and store.
struct CenterInitCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "init", abstract: "Create the center's certificate authority, server certificate and store.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(help: "The center's name: letters, digits, dots, underscores, hyphens.")
    var name: String

    @Option(
        help: ArgumentHelp(
            "A DNS name or IP address of the center; may be repeated.", valueName: "address"))
    var address: [String]

    func validate() throws {
        guard !address.isEmpty else { throw ValidationError("give at least one --address") }
    }

    func run() async throws {
        // Another user's service may have to pass through the folders above.
        try? Folders.make(Folders.parent(of: stateOptions.directory), mode: 0o755)
        let keyDirectory = CertificateAuthority.keyDirectory(ofState: stateOptions.directory)
        let authority = try CertificateAuthority.create(
            in: stateOptions.authorityDirectory, keyIn: keyDirectory, site: name, serverNames: address)
        _ = try CenterStore(path: stateOptions.storePath)
        _ = try StateFolderLock(in: stateOptions.directory, kind: Kind.name)
        let state = stateOptions.state.map { " --state \($0.quotedForShell)" } ?? ""
        Console.print(
            """
            created \(Kind.name) \(name) in \(stateOptions.directory), addresses \(address.joined(separator: ", "))
            the authority's key is in \(keyDirectory): only the key process needs it, and no other program
            SHA-256 of the authority's certificate: \(Hex.encode(authority.fingerprint))
            next: epitope \(Kind.name) token\(state) --host NAME, and epitope \(Kind.name) serve\(state)
            """)
    }
}

/// `token`: a one-time token for a host or a site.
struct CenterTokenCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "token",
            abstract: "Create a one-time enrolment token for a \(Kind.servesCenters ? "host or site" : "host").")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>
    @OptionGroup var peer: PeerOptions<Kind>

    @Option(parsing: .unconditional, help: "How long the token is valid, in hours, 1 to 8760.")
    var validHours = 24

    func validate() throws {
        guard (1...8760).contains(validHours) else { throw ValidationError("--valid-hours takes 1 to 8760") }
    }

    func run() async throws {
        let store = try stateOptions.openStore()
        let token = try await stateOptions.loadAuthority().makeToken(
            for: peer.identity, in: store, lifetimeMilliseconds: Int64(validHours) * 3_600_000)
        Console.print("\(token)")
        guard try await store.isEnrolled(peer.identity) else { return }
        Console.log(
            "note: \(peer.identity.name) has enrolled here before: whoever uses this token is the same \(peer.identity.role.rawValue) to "
                + "this center, beside it. If that one is lost, or isn't yours, revoke it first and make a token then")
    }
}

/// `renew`: issues the center a certificate of its own anew, for other addresses too.
struct CenterRenewCommand<Kind: CenterKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "renew", abstract: "Issue the center's own certificate anew; it is used after a restart.")
    }

    @OptionGroup var stateOptions: CenterStateOptions<Kind>

    @Option(
        help: ArgumentHelp(
            "A DNS name or IP address of the center; may be repeated.", valueName: "address"))
    var address: [String] = []

    func run() async throws {
        _ = try stateOptions.loadAuthority()
        let authority = try CertificateAuthority.load(from: stateOptions.keyDirectory)
        let next = try ServerCertificate.reissue(
            in: stateOptions.authorityDirectory, by: authority, names: address.isEmpty ? nil : address)
        Console.print("the certificate of \(next) is valid until \(ChannelClock.text(next.expiresMilliseconds))")
        if StateFolderLock.isHeld(in: stateOptions.directory) { Console.print("the center that runs uses it after a restart") }
    }
}
