// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterMonitoring
import CenterServer
import CenterStore
import EpitopeModel
import FileAccess
import Foundation
import Glibc
import GoodwareFiles
import GoodwareReading
import HostFrontEnd
import KeyProcess
import SecureChannel
import SettingsFiles
import SettingsYAML
import SignatureProving

/// What a check found.
struct StartFinding: Encodable {
    enum Severity: String, Encodable {
        /// The center would not start, or would not do its work.
        case problem
        /// It would start, and somebody should know.
        case warning
    }

    var severity: Severity
    var code: String
    var message: String
    var remedy: String

    init(_ severity: Severity, _ error: EpitopeError) {
        self.severity = severity
        (code, message, remedy) = (error.code.rawValue, error.message, error.remedy)
    }
}

/// Looks at everything that a center looks at when it starts, and changes nothing. The store is not opened: that would migrate it.
struct StartCheck<Kind: CenterKind> {
    let state: CenterStateOptions<Kind>
    private(set) var findings: [StartFinding] = []
    /// Rows for a person: what was looked at.
    private(set) var seen: [(what: String, state: String)] = []
    private(set) var authorities: CenterAuthorities?
    /// Whether a center serves from the folder now.
    let isServing: Bool
    /// Whether this user could start it.
    private var isOwner = true

    init(_ state: CenterStateOptions<Kind>) {
        self.state = state
        isServing = StateFolderLock.isHeld(in: state.directory)
    }

    mutating func add(_ severity: StartFinding.Severity, _ error: EpitopeError) { findings.append(StartFinding(severity, error)) }

    mutating func add(_ problems: [SettingsProblem]) { for problem in problems { add(.problem, problem.located) } }

    /// Does something, and notes why it failed.
    mutating func trying<Value>(as severity: StartFinding.Severity = .problem, _ work: () throws -> Value) -> Value? {
        do { return try work() } catch let error as EpitopeError {
            add(severity, error)
        } catch {
            add(severity, EpitopeError(.centerFailed, "\(error)", remedy: "see the system's log"))
        }
        return nil
    }

    /// Who else can change the settings: they decide what is blocked, and which programs run.
    mutating func lookAtFiles(of contents: SettingsSource.Contents) {
        for path in contents.files + [contents.folder].compactMap(\.self) {
            guard let status = try? FileStatus(path: path) else { continue }
            let isOthers = ![0, geteuid()].contains(status.owner) && isOwner
            guard isOthers || status.permissions & 0o022 != 0 else { continue }
            let why =
                isOthers
                ? "belongs to the user \(UserName.of(status.owner))"
                : "can be written by others than its owner (mode \(String(status.permissions & 0o7777, radix: 8)))"
            add(
                .warning,
                EpitopeError(
                    .settingsWritable, "\(path) \(why), who can decide what the center does",
                    remedy: "chown root \(path.quotedForShell) && chmod go-w \(path.quotedForShell)"))
        }
    }

    /// The state folder, the authority, certificates, the store and the key.
    ///
    /// - Parameter settings: where the store is, and what is to stay free on its disk.
    mutating func lookAtState(_ key: KeyOptions, _ settings: AnalysisSettings) async {
        let (state, directory) = (state, state.directory)
        authorities = trying { try state.loadAuthorities() }
        guard let authorities else { return }
        lookAtOwner(of: directory)
        seen.append(("state folder", directory + (isServing ? ", from which a center serves now" : "")))
        if isOwner, access(directory, W_OK) != 0 {
            add(
                .problem,
                EpitopeError(
                    .stateUnwritable, "the state folder \(directory) can't be written to: \(String(cString: strerror(errno)))",
                    remedy: "let the user who runs the center write to it"))
        }
        await lookAtPlace(ofStore: settings)
        await lookAtStore(settings, of: authorities)
        let keyDirectory = state.keyDirectory
        if let path = key.keySocket {
            _ = trying { try KeyClient.requireSocket(at: path) }
        } else if isOwner {
            _ = trying { try CertificateAuthority.requireKey(in: keyDirectory) }
        }
        lookAtCertificates(authorities)
    }

    private mutating func lookAtOwner(of directory: String) {
        guard let owner = (try? FileStatus(path: directory))?.owner, owner != geteuid() else { return }
        isOwner = false
        let name = UserName.of(owner)
        add(
            .warning,
            EpitopeError(
                .checkedAsAnother, "the state folder is the user \(name)'s: what that user may read and write was not checked",
                remedy: "run the check as that user: `sudo -u \(name) epitope \(Kind.name) check ...`"))
    }

    /// Whether the store that the settings name is the one that the center has served from.
    private mutating func lookAtPlace(ofStore settings: AnalysisSettings) async {
        do {
            try await state.storeLocation.require(settings.store, file: state.storePath, kind: Kind.name)
        } catch let error as EpitopeError where error.code == .storeElsewhere {
            add(.problem, error)
        } catch {
            // What else is wrong with either is found when it is looked at.
        }
    }

    private mutating func lookAtStore(_ settings: AnalysisSettings, of authorities: CenterAuthorities) async {
        if let database = settings.store { return await lookAtDatabase(database, of: authorities) }
        guard access(state.storePath, F_OK) == 0 else {
            add(
                .warning,
                EpitopeError(
                    .storeUnusable,
                    "there is no store at \(state.storePath): a start makes an empty one, and all is forgotten that was reported",
                    remedy: "restore a backup, or start if you mean to begin anew"))
            return
        }
        if isOwner, access(state.storePath, R_OK | W_OK) != 0 {
            add(
                .problem,
                EpitopeError(
                    .storeUnusable, "the store \(state.storePath) can't be written: \(String(cString: strerror(errno)))",
                    remedy: "let the user who runs the center read and write it"))
        }
        let room = FileSystemRoom(at: state.storePath)
        seen.append(("store", state.storePath + (room.map { ", \($0.availableBytes >> 20) MB free on its disk" } ?? "")))
        guard let room else { return }
        let least = max(Self.leastRoom, settings.reportRoom.keptBytes(of: room))
        guard room.availableBytes < least else { return }
        add(
            .problem,
            EpitopeError(
                .diskFull, "there are \(room.availableBytes >> 20) MB free for the store \(state.storePath): no packet is taken",
                remedy: "free some room: at least \(least >> 20) MB, or lower diskReserveMegabytes"))
    }

    /// A schema that is missing, or of an earlier version, is made at the start.
    private mutating func lookAtDatabase(_ settings: StoreSettings, of authorities: CenterAuthorities) async {
        // What is wrong with the string was told with the settings.
        guard settings.faults.isEmpty else { return }
        seen.append(("store", "PostgreSQL, \(settings.postgresql)"))
        do throws(EpitopeError) {
            let store = try CenterStore(postgresql: settings.postgresql, path: state.storePath, isServed: true)
            guard try authorities.without(await store.retiredAuthorities()) != authorities else { return }
            add(
                .warning,
                EpitopeError(
                    .authorityElsewhere,
                    "another machine of this center has retired \(authorities.current): this one lets in nobody by it either, and still has its key",
                    remedy: "destroy it: `epitope \(Kind.name) rotate-authority --retire`, here, too"))
        } catch  where error.code != .storeOlder {
            add(.problem, error)
        } catch {}
    }

    /// Of the store's disk, in bytes: some thousands of packets.
    private static var leastRoom: Int64 { 16 << 20 }

    private mutating func lookAtCertificates(_ authorities: CenterAuthorities) {
        let (now, authority) = (ChannelClock.system(), authorities.current)
        seen.append(("authority's certificate", "valid until \(ChannelClock.text(authority.expiresMilliseconds))"))
        if authority.expiresMilliseconds < now {
            add(
                .problem,
                EpitopeError(
                    .certificateExpired, "the authority's certificate ended at \(ChannelClock.text(authority.expiresMilliseconds))",
                    remedy: "make a new center with `epitope \(Kind.name) init`, and enrol all hosts there"))
        } else if authority.expiresMilliseconds - now < Duration.days(365).inMilliseconds {
            add(
                .warning,
                EpitopeError(
                    .certificateExpired, "the authority's certificate ends at \(ChannelClock.text(authority.expiresMilliseconds))",
                    remedy:
                        "replace it in good time (`epitope \(Kind.name) rotate-authority`): after its end all hosts have to be enrolled again"
                ))
        }
        do throws(EpitopeError) {
            let server = try ServerCertificate.load(from: state.authorityDirectory, authorities: authorities)
            seen.append(
                (
                    "server's certificate",
                    "valid until \(ChannelClock.text(server.expiresMilliseconds)), for \(server.names.joined(separator: ", "))"
                ))
        } catch  where error.code == .certificateExpired {
            // A start has a new one issued.
            add(.warning, EpitopeError(error.code, error.message, remedy: "start the center: it has a new one issued by itself"))
        } catch {
            add(.problem, error)
        }
    }

    /// Whether this center's certificate is for one of the addresses that hosts are told.
    mutating func lookAtNames(told centers: [String]) {
        let hosts = centers.compactMap { try? CenterAddress($0).host }
        guard !hosts.isEmpty, let authorities,
            let names = (try? ServerCertificate.load(from: state.authorityDirectory, authorities: authorities))?.names,
            Set(names.map(Self.comparable)).isDisjoint(with: hosts.map(Self.comparable))
        else { return }
        add(
            .warning,
            EpitopeError(
                .nameNotCertified,
                "none of the centers that hosts are told is in this center's certificate, which is for \(names.joined(separator: ", ")): "
                    + "where \(hosts.joined(separator: " or ")) is this machine, hosts refuse it",
                remedy: "epitope \(Kind.name) renew --address ADDRESS, once for each address of this machine in one command"))
    }

    /// A name or address, however it is spelt.
    private static func comparable(_ name: String) -> String { IPAddress(name).map { "\($0)" } ?? name.lowercased() }

    /// The goodware index and the captures, as they are opened at a start.
    mutating func lookAtMaterial(_ settings: ProverSettings) {
        let source = ProverSource(settings)
        if trying({ try source.open() }) != nil, let goodware = settings.goodware { seen.append(("goodware index", goodware)) }
        if settings.goodware == nil, settings.requireGoodware {
            add(
                .problem,
                EpitopeError(
                    .goodwareMissing, "no goodware index is set: signatures are made and stored, but none is delivered",
                    remedy: "build one with `epitope goodware build`, and name it in the settings as goodware"))
        }
        if let warning = source.goodwareWarning {
            add(.warning, EpitopeError(.goodwareMissing, warning, remedy: "see `epitope goodware info`"))
        }
        for problem in source.captureProblems { add(.warning, problem) }
    }

    /// Where the center listens, what is asked of it beside that, and how many may connect.
    mutating func lookAtPorts(_ listen: ListenOptions, metrics: MonitoringAddress?) {
        OpenFileLimit.raise()
        if let room = trying({ try CenterProcess.connectionRoom() }) {
            seen.append(("connections", "room for \(room.places)"))
        }
        guard !isServing else {
            seen.append(("ports", "not looked at: the center that serves has them"))
            return
        }
        if let (host, port) = listen.endpoint {
            if let failure = ListeningProbe.failure(host: host, port: port) {
                add(.problem, failure)
            } else {
                seen.append(("listens on", listen.listen))
            }
        }
        guard case .internet(let host, let port)? = metrics else { return }
        if let failure = ListeningProbe.failure(host: "\(host)", port: Int(port)) {
            add(
                .problem,
                EpitopeError(failure.code, "metrics: \(failure.message)", remedy: "give metrics an address and a port that are free"))
        } else {
            seen.append(("metrics on", "\(host) port \(port)"))
        }
    }

    mutating func note(_ what: String, _ state: String) { seen.append((what, state)) }

    var problems: Int { findings.count { $0.severity == .problem } }
}

extension EpitopeError.Code {
    /// A check was made by another user than the one that would start the center: rights were not checked.
    static let checkedAsAnother = EpitopeError.Code("checked-as-another-user")
}

extension EpitopeError.Code {
    /// A settings file, or the folder of further ones, can be changed by others than root and the user who runs the center.
    static let settingsWritable = EpitopeError.Code("settings-writable")
    /// None of the addresses that hosts are told (`centers`) is in the center's certificate.
    static let nameNotCertified = EpitopeError.Code("name-not-certified")
}
