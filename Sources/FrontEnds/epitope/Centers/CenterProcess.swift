// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import CenterServer
import CenterStore
import EpitopeModel
import Foundation
import Glibc
import HostFrontEnd
import KeyProcess
import Logging
import Scheduling
import SecureChannel
import ServiceLifecycle
import SignatureProving
import UnixSignals

/// Runs a center until SIGTERM or SIGINT: its HTTPS endpoint and its background work.
enum CenterProcess {
    static func logger(_ label: String) -> Logger {
        LoggingSystem.bootstrap(PrintableLogHandler.init)
        var logger = Logger(label: label)
        logger.logLevel = .info
        return logger
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

    /// How long what is under way may take after SIGTERM, before it is cut short.
    private static let maxShutdown = Duration.seconds(8)

    /// Raises the limit of open files to what this process may have: a shell's and systemd's is 1,024, which the connections of a
    /// thousand hosts use up.
    static func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        // What can't be had is done without.
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

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
        service: any CenterRequestHandling & WakefulService & Service, ledger: any EnrolmentLedger, clock: CenterClock, logger: Logger
    ) async throws {
        let authority = try state.loadAuthority()
        let health = service.health
        let issuer = KeyClient(path: keySocket, authority: authority) { failure in
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
        configuration.authorityDirectory = state.authorityDirectory
        // The start is announced below; of the server's own log only what needs a person's attention is shown.
        var serverLogger = logger
        serverLogger.logLevel = .notice
        let server = try CenterServer(
            configuration: configuration, authority: authority, issuer: issuer,
            certificate: await ServerCertificate.loadOrRenew(from: state.authorityDirectory, authority: authority, issuer: issuer),
            ledger: ledger, service: service, logger: serverLogger, steadyNow: { clock.nowMilliseconds })
        let announcement = Task {
            let port = try await server.port
            let host = endpoint.host.contains(":") ? "[\(endpoint.host)]" : endpoint.host
            Console.print("\(Kind.name) listening on \(host):\(port)")
            ServiceManager.current?.notify(.ready, .status("listening on \(host):\(port)"))
        }
        defer { announcement.cancel() }
        // A person's command beside this process takes effect at once.
        let pipe = WakeUpPipe(path: state.wakeUpPath) { Task { await service.wake() } }
        defer { withExtendedLifetime(pipe) {} }
        // Services end in reverse order: first no more messages are received, then the work ends.
        do {
            var group = ServiceGroupConfiguration(
                services: [service, server], gracefulShutdownSignals: [.sigterm, .sigint], logger: serverLogger)
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

extension EpitopeError.Code {
    /// A center was stopped by an error that it does not expect; the log has it.
    static let centerFailed = EpitopeError.Code("center-failed")
}
