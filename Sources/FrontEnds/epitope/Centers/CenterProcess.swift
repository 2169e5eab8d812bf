// SPDX-License-Identifier: Apache-2.0

import CenterServer
import EpitopeModel
import HostFrontEnd
import Logging
import SecureChannel
import ServiceLifecycle
import SignatureProving
import UnixSignals

/// Runs a center until SIGTERM or SIGINT: its HTTPS endpoint and its background work.
enum CenterProcess {
    static func logger(_ label: String) -> Logger {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
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
        if let warning = settings.warning { logger.warning("\(warning)") }
        return provers
    }

    /// Serves until SIGTERM or SIGINT.
    ///
    /// - Throws: `listening-failed`, `center-failed`, or why the center's identity can't be used.
    static func run<Kind: CenterKind>(
        _ state: CenterStateOptions<Kind>, listen: ListenOptions, service: any CenterRequestHandling & Service,
        ledger: any EnrolmentLedger, logger: Logger
    ) async throws {
        let authority = try state.loadAuthority()
        let endpoint = listen.endpoint ?? ("0.0.0.0", Int(CenterAddress.defaultPort))
        var configuration = CenterServer.Configuration()
        configuration.host = endpoint.host
        configuration.port = endpoint.port
        configuration.authorityDirectory = state.authorityDirectory
        // The start is announced below; of the server's own log only what needs a person's attention is shown.
        var serverLogger = logger
        serverLogger.logLevel = .notice
        let server = try CenterServer(
            configuration: configuration, authority: authority,
            certificate: ServerCertificate.load(from: state.authorityDirectory, authority: authority),
            ledger: ledger, service: service, logger: serverLogger)
        let announcement = Task {
            let port = try await server.port
            let host = endpoint.host.contains(":") ? "[\(endpoint.host)]" : endpoint.host
            Console.print("\(Kind.name) listening on \(host):\(port)")
        }
        defer { announcement.cancel() }
        // Services end in reverse order: first no more messages are received, then the work ends.
        do {
            try await ServiceGroup(
                services: [service, server], gracefulShutdownSignals: [.sigterm, .sigint], logger: serverLogger
            ).run()
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
