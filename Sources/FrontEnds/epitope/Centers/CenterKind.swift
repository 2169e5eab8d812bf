// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterAnalysis
import CenterStore
import EpitopeModel
import FileAccess
import Glibc
import GlobalCenter
import HostFrontEnd
import LocalCenter
import Logging
import NotificationDelivery
import SecureChannel
import SettingsYAML

/// The differences between the commands of the local and the global center.
protocol CenterKind: Sendable {
    /// The command's noun, and the name of its state folder.
    static var name: String { get }
    /// Whether other centers enrol here.
    static var servesCenters: Bool { get }
    /// Whether it forwards packets.
    static var isForwarding: Bool { get }

    /// Where the settings of a file say that the store lies; `nil`: they don't.
    static func storeSettings(ofFile path: String) throws -> StoreSettings?
    /// What settings say of notices.
    static func notifications(_ source: SettingsSource) throws -> NotificationSettings
}

enum LocalKind: CenterKind {
    static let name = "local-center"
    static let servesCenters = false
    static let isForwarding = true

    static func storeSettings(ofFile path: String) throws -> StoreSettings? { try LocalCenterConfiguration.load(path: path).analysis.store }

    static func notifications(_ source: SettingsSource) throws -> NotificationSettings {
        try LoadedSettings<LocalCenterConfiguration>.required(from: source).settings.notifications
    }
}

enum GlobalKind: CenterKind {
    static let name = "global-center"
    static let servesCenters = true
    static let isForwarding = false

    static func storeSettings(ofFile path: String) throws -> StoreSettings? {
        try GlobalCenterConfiguration.load(path: path).analysis.store
    }

    static func notifications(_ source: SettingsSource) throws -> NotificationSettings {
        try LoadedSettings<GlobalCenterConfiguration>.required(from: source).settings.notifications
    }
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
    var storeLocation: StoreLocation { StoreLocation(inState: directory) }
    /// This center's identities at the sites that it exchanges updates with, each in a folder of the site's name.
    var peersDirectory: String { "\(directory)/peers" }
    /// This center's identity at the global center.
    var globalDirectory: String { "\(directory)/global" }

    /// Opens the store of a center that `init` created, for the person at the command line.
    func openStore() throws -> CenterStore { try openStoreForAnybody().acting(as: Person.actor) }

    private func openStoreForAnybody() throws -> CenterStore {
        _ = try loadAuthority()
        try MoveLock.share(in: directory)
        if let settings = try storeLocation.read() {
            return try CenterStore(postgresql: settings.postgresql, path: storePath, isServed: true)
        }
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
    ///
    /// - Parameter settings: where it lies, and how far packets may fill it.
    func openStoreForServing(_ settings: AnalysisSettings, logger: Logger) async throws -> CenterStore {
        try await storeLocation.require(settings.store, file: storePath, kind: Kind.name)
        let clock = SteadyClock(onDisbelief: { logger.warning("\($0)") })
        let store: CenterStore
        if let location = settings.store {
            store = try await openDatabase(location, reportRoom: settings.reportRoom, clock: clock.clock)
        } else {
            if let storeWarning { logger.warning("\(storeWarning)") }
            store = try CenterStore(path: storePath, reportRoom: settings.reportRoom, clock: clock.clock)
        }
        if let last = try await store.lastEventMilliseconds() { clock.follow(last: last) }
        return store
    }

    /// Opens a PostgreSQL database for this center, and writes down that its store is there.
    func openDatabase(
        _ settings: StoreSettings, reportRoom: ReportRoom = ReportRoom(), clock: CenterClock = .system
    ) async throws -> CenterStore {
        let store = try CenterStore(postgresql: settings.postgresql, path: storePath, reportRoom: reportRoom, clock: clock)
        let authorities = try loadAuthorities()
        func name(_ authority: AuthorityCertificate) -> String { "\(Kind.name) \(Hex.encode(authority.fingerprint))" }
        try await store.claim(
            as: name(authorities.current), formerly: authorities.former.map { name($0.authority) },
            later: authorities.next.map { name($0.certificate) })
        try storeLocation.write(settings)
        return store
    }

    /// What is lost where the store is gone that `init` has made; `nil`: it is there.
    private var storeWarning: String? {
        guard access(storePath, F_OK) != 0 else { return nil }
        return "there is no store at \(storePath), and an empty one is made: all is forgotten that was reported and decided. "
            + "Who was revoked gets in again until you revoke it anew"
    }

    /// - Throws: `state-unreadable` where the folder is another user's.
    private func requireReadable() throws(EpitopeError) {
        guard access(directory, R_OK | X_OK) != 0, errno == EACCES else { return }
        let owner = (try? FileStatus(path: directory)).map { "the user \(UserName.of($0.owner))" } ?? "another user"
        throw EpitopeError(
            .stateUnreadable, "the state folder \(directory) is \(owner)'s, and nobody else may read it",
            remedy:
                "run the command as that user or as root (`sudo`); who may only look asks the metrics of a center that runs, on a socket "
                + "for its group (`--metrics`)")
    }

    /// The authority that new certificates and tokens are of, whatever machine of the center has retired the one before.
    ///
    /// - Throws: as ``loadAuthorities()``; `authority-elsewhere`.
    func presentAuthority(_ store: CenterStore) async throws -> AuthorityCertificate {
        try loadAuthorities().without(await store.retiredAuthorities()).current
    }

    /// - Throws: as ``loadAuthorities()``.
    func loadAuthority() throws -> AuthorityCertificate { try loadAuthorities().current }

    /// - Throws: `state-unreadable`, `authority-missing` where `init` has made no center, `state-of-another-kind`, or why the authority
    ///   can't be used.
    func loadAuthorities() throws -> CenterAuthorities {
        try requireReadable()
        try StateFolderLock.requireKind(Kind.name, in: directory)
        return try CenterAuthorities.load(from: authorityDirectory)
    }
}

/// Users, for a person.
enum UserName {
    /// The name of a user's number, or the number.
    static func of(_ number: UInt32) -> String { known(number) ?? "\(number)" }

    /// The name of a user's number; `nil`: it has none.
    static func known(_ number: UInt32) -> String? { getpwuid(number)?.pointee.pw_name.map { String(cString: $0) } }
}

extension EpitopeError.Code {
    /// A center's state folder is another user's.
    static let stateUnreadable = EpitopeError.Code("state-unreadable")
}

/// The peer that a command is about: a host, or a site (at a local center one that it exchanges updates with).
struct PeerOptions<Kind: CenterKind>: ParsableArguments {
    @Option(help: ArgumentHelp("The host's name: letters, digits, dots, underscores, hyphens.", valueName: "name"))
    var host: String?

    @Option(
        help: ArgumentHelp(
            Kind.servesCenters
                ? "The site's name, which its local center enrols by." : "The name of a site that reads this one's updates (peer-with).",
            valueName: "name"))
    var site: String?

    /// What a command's usage says of them: each is an option to the parser, and one of them is needed.
    static var usage: String { "(--host <name> | --site <name>)" }

    /// Whom the command may be about, for a person.
    static var noun: String { Kind.servesCenters ? "host or site" : "host" }

    func validate() throws {
        guard (host == nil) != (site == nil) else {
            throw ValidationError("give the name of one host or site: --host NAME or --site NAME")
        }
    }

    var identity: Identity {
        if let site { return Identity(role: .localCenter, name: site) }
        return Identity(role: .host, name: host ?? "")
    }
}
