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

    @Option(help: ArgumentHelp("The settings, where they name a PostgreSQL database for the store.", valueName: "file"))
    var config: String?

    func validate() throws {
        guard !address.isEmpty else { throw ValidationError("give at least one --address") }
        guard config != "" else { throw ValidationError("--config takes a path") }
    }

    func run() async throws {
        let database = try config.flatMap(Kind.storeSettings(ofFile:))
        // Another user's service may have to pass through the folders above.
        try? Folders.make(Folders.parent(of: stateOptions.directory), mode: 0o755)
        let keyDirectory = CertificateAuthority.keyDirectory(ofState: stateOptions.directory)
        let authority = try CertificateAuthority.create(
            in: stateOptions.authorityDirectory, keyIn: keyDirectory, site: name, serverNames: address)
        if let database {
            _ = try await stateOptions.openDatabase(database)
        } else {
            _ = try CenterStore(path: stateOptions.storePath)
        }
        _ = try StateFolderLock(in: stateOptions.directory, kind: Kind.name)
        let state = stateOptions.state.map { " --state \($0.quotedForShell)" } ?? ""
        Console.print(
            """
            created \(Kind.name) \(name) in \(stateOptions.directory), addresses \(address.joined(separator: ", "))
            the authority's key is in \(keyDirectory): only the key process needs it, and no other program
            SHA-256 of the authority's certificate: \(Hex.encode(authority.fingerprint))
            next: epitope \(Kind.name) token\(state) --\(Kind.servesCenters ? "site" : "host") NAME, and epitope \(Kind.name) serve\(state)
            """)
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
            "A DNS name or IP address of the center, those that it has too; may be repeated. Without it: those that it has.",
            valueName: "address"))
    var address: [String] = []

    func run() async throws {
        let authorities = try stateOptions.loadAuthorities()
        let before = (try? ServerCertificate.load(from: stateOptions.authorityDirectory, authorities: authorities))?.names ?? []
        let keys = try AuthorityKeys.load(from: stateOptions.keyDirectory)
        let next = try ServerCertificate.reissue(
            in: stateOptions.authorityDirectory, by: keys, names: address.isEmpty ? nil : address)
        Console.print("the certificate of \(next) is valid until \(ChannelClock.text(next.expiresMilliseconds))")
        let dropped = before.filter { !next.names.contains($0) }
        if !dropped.isEmpty {
            Console.log(
                "no longer in it: \(dropped.joined(separator: ", ")); hosts that use these addresses will refuse this center. To keep them, "
                    + "give all of its addresses")
        }
        if StateFolderLock.isHeld(in: stateOptions.directory) { Console.print("the center that runs uses it after a restart") }
    }
}
