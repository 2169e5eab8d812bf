// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import CPrivileges
import CenterMonitoring
import CenterServer
import CenterStore
import EpitopeModel
import FileAccess
import Foundation
import Glibc
import HostFrontEnd
import KeyProcess
import Logging
import Scheduling
import SecureChannel
import ServiceLifecycle
import SettingsFiles
import SignatureProving
import UnixSignals

/// Runs a center until SIGTERM or SIGINT: its HTTPS endpoint and its background work.
enum CenterProcess {
    /// Has all of this process's lines go to one log. Call this once.
    static func logger(_ label: String, _ format: MonitoringSettings.LogFormat) -> Logger {
        switch format {
        case .text: LoggingSystem.bootstrap(PrintableLogHandler.init)
        case .json: LoggingSystem.bootstrap(JSONLogHandler.init)
        }
        var logger = Logger(label: label)
        logger.logLevel = .info
        Console.logger = logger
        return logger
    }

    /// Says on standard output what whoever started this process waits for.
    private static func announce(_ line: String, _ format: MonitoringSettings.LogFormat, label: String) {
        switch format {
        case .text: Console.print(line)
        case .json:
            Console.print(JSONLogLine(milliseconds: Double(ChannelClock.system()), level: .info, label: label, text: line).text)
        }
    }

    /// Opens the material that the center proves signatures with, so that a missing index is reported at the start.
    ///
    /// - Throws: `goodware-missing`, `goodware-damaged`, `goodware-version`.
    static func provers(_ settings: ProverSettings, logger: Logger) throws -> ProverSource {
        let provers = ProverSource(settings)
        try provers.open()
        for warning in [settings.warning, provers.goodwareWarning].compactMap(\.self) + provers.captureWarnings {
            logger.warning("\(warning)")
        }
        return provers
    }

    /// Writes into the audit log that the center starts, and with which settings. On a full disk it starts without: who is to withdraw a
    /// rule needs it.
    static func recordStart<Settings: SettingsGroup>(in store: CenterStore, _ settings: Settings, logger: Logger) async {
        do {
            try await store.recordStart(version: Version.current, settings: SettingsChange.between(Settings(), settings))
        } catch {
            logger.error("the start could not be written into the audit log: \(error)")
        }
    }

    /// How long what is under way may take after SIGTERM, before it is cut short.
    private static let maxShutdown = Duration.seconds(8)

    /// Readies what the process has of the machine: as many open files as it may have, and few pools of memory. The C library makes
    /// up to eight a processor, by thread, and each keeps what its busiest moment took: requests wander through the threads.
    ///
    /// SIGHUP reads the settings again, and ends no process of a center: the key's has nothing to read again.
    static func readyResources() {
        signal(SIGHUP, SIG_IGN)
        OpenFileLimit.raise()
        _ = epitope_limit_memory_pools(4)
    }

    /// How many connections there is room for, beside what is open already.
    ///
    /// - Throws: `limit-too-low`.
    static func connectionRoom() throws(EpitopeError) -> ConnectionRoom {
        let (limit, open) = (OpenFileLimit.current, OpenFileLimit.openCount ?? 0)
        guard let room = ConnectionRoom(limit: limit, open: open) else {
            throw EpitopeError(
                .limitTooLow, "this process may have \(limit ?? 0) files open, and has \(open) before the first host connects",
                remedy: "raise the limit to \(ConnectionRoom.minLimit(open: open)) at least, and by one a host (\(how))")
        }
        return room
    }

    private static func connectionRoom(logger: Logger) throws(EpitopeError) -> ConnectionRoom {
        let room = try connectionRoom()
        if room.places < ConnectionRoom.defaultPlaces {
            logger.warning(
                "there is room for \(room.places) connections at a time, of \(ConnectionRoom.defaultPlaces), since this process may have \(OpenFileLimit.current ?? 0) files open; each host keeps one. Raise the limit if there are more hosts (\(how))"
            )
        }
        return room
    }

    private static let how = "LimitNOFILE= of the unit, or ulimit -n"

    /// Keeps the file of the authority's key from this process and what it starts, where the user could read it. Call this while there
    /// is one thread, and once the key process is started.
    ///
    /// - Parameters:
    ///   - key: who signs. What can't read the key can't start a process that reads it: where the file is kept from this process, it
    ///     doesn't start the key process again, should that and the one that looks after it both be killed.
    ///   - needed: folders in which files appear that the center reads, and files themselves.
    static func shieldKey<Kind: CenterKind>(of state: CenterStateOptions<Kind>, _ key: KeySource, needed: [String], logger: Logger) {
        // Nothing to keep: another user's.
        guard (try? CertificateAuthority.requireKey(in: state.keyDirectory)) != nil else { return }
        do {
            try KeyShield.raise(hiding: state.keyDirectory, needed: needed + [state.directory])
            logger.info("the file of the authority's key can't be read by this process, nor by what it starts")
        } catch {
            logger.warning(
                "this process, which reads what others send, could read the file of the authority's key: \(error). The key is not in its memory; have the key process run as another user, as the units do, to keep the file from it, too"
            )
            key.started?.restartWhenEnded()
        }
    }

    /// Where files appear that proofs are made with.
    static func readFolders(_ settings: ProverSettings) -> [String] {
        // A pattern's files are in the folder before its first wildcard.
        let captures = (settings.captures + settings.benignCaptures).map { String($0.prefix { !"*?[".contains($0) }) }
        return captures + [settings.goodware].compactMap(\.self)
    }

    /// This program's path.
    static func program() throws(EpitopeError) -> String {
        do { return try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") } catch {
            throw EpitopeError(
                .centerFailed, "this program's own file is not known (/proc/self/exe: \(error))", remedy: "see that /proc is mounted")
        }
    }

    /// Serves until SIGTERM or SIGINT.
    ///
    /// - Throws: `listening-failed`, `center-failed`, or why the center's identity can't be used.
    static func run<Kind: CenterKind>(
        _ state: CenterStateOptions<Kind>, listen: ListenOptions, keySocket: String,
        service: any CenterRequestHandling & WakefulService & Service, ledger: any EnrolmentLedger, clock: CenterClock,
        relays: [String] = [], watched: (settings: MonitoringSettings, subject: CenterMonitor.Subject), logger: Logger
    ) async throws {
        let monitor = CenterMonitor(watched.subject)
        let watching = try watched.settings.address().map { address in
            Task {
                async let beats: Void = monitor.beat()
                await MonitoringListener(address, monitor: monitor, logger: logger).run()
                await beats
            }
        }
        defer { watching?.cancel() }
        let authorities = try AuthorityBook(state.loadAuthorities(), without: await ledger.retiredAuthorities())
        let health = service.health
        let issuer = KeyClient(path: keySocket, authority: { authorities.authorities.current }) { failure in
            if let failure {
                health?.failed(.key, failure)
                logger.error("no host can enrol or renew its certificate now: \(failure)")
            } else {
                health?.works(.key)
                logger.info("certificates can be signed")
            }
        }
        await issuer.awaitStart()
        let keyWatch = Task { await issuer.watch() }
        defer { keyWatch.cancel() }
        let endpoint = listen.endpoint ?? ("0.0.0.0", Int(CenterAddress.defaultPort))
        var configuration = CenterServer.Configuration()
        configuration.host = endpoint.host
        configuration.port = endpoint.port
        configuration.maxConnections = try connectionRoom(logger: logger).places
        configuration.authorityDirectory = state.authorityDirectory
        configuration.relays = try RelayNetworks.parse(relays)
        // The start is announced below; of the server's own log only what needs a person's attention is shown.
        var serverLogger = logger
        serverLogger.logLevel = .notice
        let server = try CenterServer(
            configuration: configuration, authorities: authorities, issuer: issuer,
            certificate: await ServerCertificate.loadOrRenew(
                from: state.authorityDirectory, authorities: authorities.authorities, issuer: issuer),
            ledger: ledger, service: service, logger: serverLogger, steadyNow: { clock.nowMilliseconds })
        let announcement = Task {
            let port = try await server.port
            let host = endpoint.host.contains(":") ? "[\(endpoint.host)]" : endpoint.host
            monitor.listens { server.connections }
            announce("\(Kind.name) listening on \(host):\(port)", watched.settings.logFormat, label: Kind.name)
            ServiceManager.current?.notify(.ready, .status("listening on \(host):\(port)"))
        }
        defer { announcement.cancel() }
        // A person's command beside this process takes effect at once.
        let pipe = WakeUpPipe(path: state.wakeUpPath) { Task { await service.wake() } }
        defer { withExtendedLifetime(pipe) {} }
        // Services end in reverse order: first no more messages are received, then the work ends.
        do {
            var group = ServiceGroupConfiguration(
                services: [ServiceOnceListening(service: service, server: server), server], gracefulShutdownSignals: [.sigterm, .sigint],
                logger: serverLogger)
            group.maximumGracefulShutdownDuration = maxShutdown
            try await ServiceGroup(configuration: group).run()
        } catch is CancellationError {
            // A peer that is slow does not hold up the end: what wasn't acknowledged is sent again.
            logger.notice("what was under way took too long and was cut short")
        } catch let error where !(error is EpitopeError) {
            logger.error("stopped by an error", metadata: ["error": "\(error)"])
            throw EpitopeError(
                .centerFailed, "the \(Kind.name) was stopped by an error that it does not expect",
                remedy: "start it again; if it happens again, report it with the lines of the log above")
        }
        logger.info("stopped")
    }
}

/// A center's work, begun once its server listens: where another program has the port, nothing else is done, nor fails.
private struct ServiceOnceListening: Service {
    let service: any Service
    let server: CenterServer

    func run() async throws {
        guard (try? await server.port) != nil else {
            // The server's own error ends the program.
            try? await gracefulShutdown()
            return
        }
        try await service.run()
    }
}

extension EpitopeError.Code {
    /// A center was stopped by an error that it does not expect; the log has it.
    static let centerFailed = EpitopeError.Code("center-failed")
}
