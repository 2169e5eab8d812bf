// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import Glibc
import HostFrontEnd
import Logging
import SecureChannel

/// The differences between the commands of the local and the global center.
protocol CenterKind: Sendable {
    /// The command's noun, and the name of its state folder.
    static var name: String { get }
    /// Whether other centers enrol here.
    static var servesCenters: Bool { get }
    /// Whether it delivers and forwards within daily quotas.
    static var hasQuotas: Bool { get }
}

enum LocalKind: CenterKind {
    static let name = "local-center"
    static let servesCenters = false
    static let hasQuotas = true
}

enum GlobalKind: CenterKind {
    static let name = "global-center"
    static let servesCenters = true
    static let hasQuotas = false
}

/// `--state` of a center's commands, and the paths in that folder.
struct CenterStateOptions<Kind: CenterKind>: ParsableArguments {
    @Option(help: ArgumentHelp("The center's state folder.", valueName: "folder"))
    var state: String?

    func validate() throws {
        guard state != "" else { throw ValidationError("--state takes a folder") }
    }

    var directory: String { StateDirectory.path(state, part: Kind.name) }
    var authorityDirectory: String { "\(directory)/authority" }
    /// The folder of the authority's key.
    var keyDirectory: String { CertificateAuthority.findKeyDirectory(ofState: directory) }
    /// Where the key process is asked that `serve` starts.
    var keySocketPath: String { "\(directory)/key.socket" }
    var storePath: String { "\(directory)/center.sqlite" }
    /// This center's identity at the global center.
    var globalDirectory: String { "\(directory)/global" }

    /// Opens the store of a center that `init` created.
    func openStore() throws -> CenterStore {
        _ = try loadAuthority()
        if let storeWarning { Console.log(storeWarning) }
        return try CenterStore(path: storePath, isServed: StateFolderLock.isHeld(in: directory))
    }

    /// Keeps the folder for this process.
    ///
    /// - Throws: `authority-missing` where `init` has made no center, `center-running`, `state-of-another-kind`.
    func lockForServing() throws -> StateFolderLock {
        _ = try loadAuthority()
        return try StateFolderLock(in: directory, kind: Kind.name)
    }

    /// Opens the store with a clock that does not follow the machine's when that jumps.
    func openStoreForServing(logger: Logger) async throws -> CenterStore {
        if let storeWarning { logger.warning("\(storeWarning)") }
        let clock = SteadyClock(onDisbelief: { logger.warning("\($0)") })
        let store = try CenterStore(path: storePath, clock: clock.clock)
        if let last = try await store.lastEventMilliseconds() { clock.follow(last: last) }
        return store
    }

    /// What is lost where the store is gone that `init` has made; `nil`: it is there.
    private var storeWarning: String? {
        guard access(storePath, F_OK) != 0 else { return nil }
        return "there is no store at \(storePath), and an empty one is made: all is forgotten that was reported and decided. "
            + "Who was revoked gets in again until you revoke it anew"
    }

    /// What is wrong with the dates of this center's certificate at the global center; `nil` when nothing is, or it has none.
    var linkWarning: String? {
        let identity = try? StoredIdentity.loadIfEnrolled(from: globalDirectory)
        return identity?.outlook().warning(of: "this site's certificate at the global center")
    }

    /// - Throws: `authority-missing` where `init` has made no center, `state-of-another-kind`, or why the authority can't be used.
    func loadAuthority() throws -> AuthorityCertificate {
        try StateFolderLock.requireKind(Kind.name, in: directory)
        return try AuthorityCertificate.load(from: authorityDirectory)
    }
}

/// The peer that a command is about: a host, or at a global center also a site.
struct PeerOptions<Kind: CenterKind>: ParsableArguments {
    @Option(help: ArgumentHelp("The host's name: letters, digits, dots, underscores, hyphens.", valueName: "name"))
    var host: String?

    @Option(
        help: ArgumentHelp(
            "The name of a site whose local center this is for.", valueName: "name",
            visibility: Kind.servesCenters ? .default : .hidden))
    var site: String?

    func validate() throws {
        if site != nil, !Kind.servesCenters {
            throw ValidationError("a local center serves hosts: give --host (a site enrols at a global center)")
        }
        guard (host == nil) != (site == nil) else {
            throw ValidationError(Kind.servesCenters ? "give either --host or --site" : "give --host")
        }
    }

    var identity: Identity {
        if let site { return Identity(role: .localCenter, name: site) }
        return Identity(role: .host, name: host ?? "")
    }
}
