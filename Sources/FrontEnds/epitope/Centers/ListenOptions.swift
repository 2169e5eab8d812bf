// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterServer
import EpitopeModel
import HostFrontEnd
import Logging
import SecureChannel
import ServiceLifecycle
import SignatureProving
import UnixSignals

/// Where a center listens: `--listen`.
struct ListenOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The address and port to listen on, such as 10.0.0.1:7443 or [::]:7443.", valueName: "address"))
    var listen = "0.0.0.0:7443"

    /// Splits the address at its last colon; an IPv6 address stands in brackets.
    func validate() throws {
        guard endpoint != nil else { throw ValidationError("--listen takes ADDRESS:PORT, not '\(listen)'") }
    }

    var endpoint: (host: String, port: Int)? {
        guard let colon = listen.lastIndex(of: ":"), let port = UInt16(listen[listen.index(after: colon)...]) else {
            return nil
        }
        var host = String(listen[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        return host.isEmpty ? nil : (host, Int(port))
    }
}

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
    static func provers(_ settings: ProvingSettings, logger: Logger) throws -> ProverSource {
        let provers = ProverSource(settings)
        try provers.open()
        if let warning = settings.warning { logger.warning("\(warning)") }
        return provers
    }

    static func run<Kind: CenterKind>(
        _ state: CenterStateOptions<Kind>, listen: ListenOptions, intake: any CenterRequestHandling & Service,
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
            ledger: ledger, intake: intake, logger: serverLogger)
        let announcement = Task {
            let port = try await server.port
            let host = endpoint.host.contains(":") ? "[\(endpoint.host)]" : endpoint.host
            Console.say("\(Kind.name) listening on \(host):\(port)")
        }
        defer { announcement.cancel() }
        // Services end in reverse order: first no more messages are received, then the work ends.
        try await ServiceGroup(
            services: [intake, server], gracefulShutdownSignals: [.sigterm, .sigint], logger: serverLogger
        ).run()
        logger.info("stopped")
    }
}
