// SPDX-License-Identifier: Apache-2.0

public import CenterMetrics
public import EpitopeModel
import Glibc
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import Scheduling
public import SecureChannel
public import ServiceLifecycle

/// A center's HTTPS endpoint: mutual TLS 1.3, checks, decoding, receipts. The center's service handles the messages.
///
/// Run it in a `ServiceGroup`: a graceful shutdown answers requests under way (long polls at once), then closes.
public struct CenterServer: Service {
    /// Where and how the server listens.
    public struct Configuration: Sendable {
        /// The address to listen on.
        public var host: String
        /// 0 for any free port; ``CenterServer/port`` is the one that was chosen.
        public var port: Int
        /// Connections at a time, a quarter of them at most of peers that nobody knows yet. Beyond it a new one takes the place of
        /// one that is idle.
        public var maxConnections: Int
        /// Idle connections are closed after this time, in seconds. Hosts keep theirs warm with a request every 30.
        public var idleSeconds: Int64
        /// A connection is closed whose peer has not taken a long answer after this time, in seconds.
        public var answerSeconds: Int64
        /// How long issued certificates are valid, in days.
        public var validityDays: Int
        /// For how long after its end a certificate that is not revoked may be renewed, in days: hosts that were off get a new
        /// one by themselves.
        public var renewalGraceDays: Int
        /// The authority's folder, in which the server's own certificate is renewed in time. With `nil` it is not renewed.
        public var authorityDirectory: String?
        /// The relays that tell whose connection they pass on, and of whose connections nothing else is taken.
        public var relays: [IPNetwork] = []

        public init(
            host: String = "0.0.0.0", port: Int = Int(CenterAddress.defaultPort), maxConnections: Int = ConnectionRoom.defaultPlaces,
            idleSeconds: Int64 = 180, answerSeconds: Int64 = 60, validityDays: Int = CertificateAuthority.defaultValidityDays,
            renewalGraceDays: Int = CertificateAuthority.defaultValidityDays, authorityDirectory: String? = nil
        ) {
            self.host = host
            self.port = port
            self.maxConnections = maxConnections
            self.idleSeconds = idleSeconds
            self.answerSeconds = answerSeconds
            self.validityDays = validityDays
            self.renewalGraceDays = renewalGraceDays
            self.authorityDirectory = authorityDirectory
        }
    }

    private let configuration: Configuration
    private let authorities: AuthorityBook
    private let issuer: any CertificateIssuing
    private let ledger: any EnrolmentLedger
    private let certificate: ServerCertificate
    private let tls: ServerTLS
    private let counters: CenterCounters
    private let requests: RequestHandler
    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let steadyNow: @Sendable () -> Int64
    private let places: ConnectionPlaces
    private let sightings = SightingBook()
    private let service: any CenterRequestHandling
    /// The port that the server came to listen on, or why it didn't.
    private let boundPort = Completion<Result<Int, any Error>>()

    /// - Parameters:
    ///   - authorities: read again from ``Configuration/authorityDirectory`` when their file has changed.
    ///   - issuer: who has the authority's key.
    ///   - now: the clock by which certificates and tokens are judged, and certificates issued, in milliseconds since 1970.
    ///   - steadyNow: a clock that does not follow the machine's when that jumps: what is in force by it is not refused.
    /// - Throws: `certificate-malformed` when the server's key or certificate can't be used.
    public init(
        configuration: Configuration, authorities: AuthorityBook, issuer: any CertificateIssuing, certificate: ServerCertificate,
        ledger: any EnrolmentLedger, service: any CenterRequestHandling, logger: Logger,
        now: @escaping @Sendable () -> Int64 = ChannelClock.system, steadyNow: (@Sendable () -> Int64)? = nil
    ) throws(EpitopeError) {
        self.configuration = configuration
        self.authorities = authorities
        authorities.presented = certificate.authority
        self.issuer = issuer
        self.ledger = ledger
        self.certificate = certificate
        let counters = service.counters ?? CenterCounters()
        self.tls = try ServerTLS(certificate, counters: counters)
        counters.authorityEnds.set(authorities.authorities.current.expiresMilliseconds)
        self.counters = counters
        self.logger = logger
        self.now = now
        self.steadyNow = steadyNow ?? now
        places = ConnectionPlaces(max: configuration.maxConnections, counters: counters)
        self.service = service
        self.requests = RequestHandler(
            places: places,
            authenticator: PeerAuthenticator(
                authorities: authorities, ledger: ledger, places: places, clocks: [now] + (steadyNow.map { [$0] } ?? [])), service: service,
            enrolment: Enrolment(
                scope: service.scope, accepts: service.accepts, authorities: authorities, issuer: issuer, ledger: ledger,
                validityDays: configuration.validityDays,
                renewalGraceMilliseconds: Duration.days(configuration.renewalGraceDays).inMilliseconds, now: now, rations: SenderRations()),
            sightings: sightings, answerTime: .seconds(configuration.answerSeconds), counters: counters)
    }

    /// The port that the server listens on; waits until it does.
    ///
    /// - Throws: what ``run()`` threw when it could not listen.
    public var port: Int {
        get async throws { try await boundPort.value().get() }
    }

    /// How many are connected, and how many wait for their turn to enrol.
    var peers: (connected: Int, enrolling: Int) { (places.count, requests.enrolment.turns.waiting) }

    /// Who is connected.
    public var connections: ConnectionUse { places.use }

    /// Serves until the task's service group shuts down.
    ///
    /// - Throws: `listening-failed`.
    public func run() async throws {
        let requests = requests
        let (tls, places, relays) = (tls, places, configuration.relays)
        let boundPort = boundPort
        let http = HTTP1Channel.Configuration(
            additionalChannelHandlers: [PeerPresence(places)], idleTimeout: .seconds(configuration.idleSeconds),
            // Requests have a handful of short headers.
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: 8192, maxHeaderListSize: 16384, maxHeaderFieldCount: 64))
        let application = Application(
            responder: CallbackResponder { (request: Request, connection: Connection) in
                var connection = connection
                if let told = places.toldSource(of: connection.channel) { connection.source = told }
                return await requests.respond(to: request, on: connection)
            },
            server: HTTPServerBuilder { responder in
                MutualTLSChannel(HTTP1Channel(responder: responder, configuration: http), tls: tls, places: places, relays: relays)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), backlog: 1024,
                availableConnectionsDelegate: MaximumAvailableConnections(
                    configuration.maxConnections + ConnectionRoom.spare(besides: configuration.maxConnections))),
            services: renewal + [SightingUpkeep(book: sightings, service: service, logger: logger)],
            onServerRunning: { channel in boundPort.complete(.success(channel.localAddress?.port ?? 0)) },
            logger: logger)
        do {
            try await application.run()
        } catch let error as IOError {
            let error = ListeningProbe.failure(of: configuration.host, configuration.port, error.errnoCode)
            boundPort.complete(.failure(error))
            throw error
        } catch let error where error is SocketAddressError || error is SocketAddressError.UnknownHost {
            let error = ListeningProbe.failure(of: configuration.host, configuration.port, nil)
            boundPort.complete(.failure(error))
            throw error
        } catch {
            boundPort.complete(.failure(error))
            throw error
        }
        boundPort.complete(.failure(CancellationError()))
    }

    private var renewal: [any Service] {
        guard let directory = configuration.authorityDirectory else { return [] }
        return [
            ServerCertificateRenewal(
                directory: directory, authorities: authorities, issuer: issuer, ledger: ledger, health: service.health,
                certificate: certificate, tls: tls, counters: counters,
                logger: logger, now: now, steadyNow: steadyNow)
        ]
    }
}
