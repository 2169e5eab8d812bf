public import EpitopeModel
public import Logging
public import SecureChannel
public import ServiceLifecycle

/// A center's HTTPS face: mutual TLS 1.3, checks, decoding, receipts. What is done with a message is the intake's.
///
/// Run it in a `ServiceGroup`: a graceful shutdown answers what is under way, long polls at once, and closes.
public struct CenterServer: Service {
    /// Where and how the face listens.
    public struct Configuration: Sendable {
        /// The address to listen on.
        public var host: String
        /// 0: any free port, which ``CenterServer/port`` tells.
        public var port: Int
        /// The most connections at a time; more wait in the kernel's queue.
        public var mostConnections: Int
        /// Idle connections are closed after this time. Hosts keep theirs warm with a request every 30 seconds.
        public var idleTimeout: Duration
        /// How long issued certificates are valid, in days.
        public var validityDays: Int
        /// The folder in which the server's own certificate is kept and renewed; `nil`: it isn't renewed.
        public var authorityDirectory: String?

        public init(
            host: String = "0.0.0.0", port: Int = Int(CenterAddress.defaultPort), mostConnections: Int = 4096,
            idleTimeout: Duration = .seconds(180), validityDays: Int = CertificateAuthority.defaultValidityDays,
            authorityDirectory: String? = nil
        ) {
            self.host = host
            self.port = port
            self.mostConnections = mostConnections
            self.idleTimeout = idleTimeout
            self.validityDays = validityDays
            self.authorityDirectory = authorityDirectory
        }
    }

    /// - Parameter now: the clock by which certificates and tokens are judged, in milliseconds since 1970.
    public init(
        configuration: Configuration, authority: CertificateAuthority, certificate: ServerCertificate,
        ledger: any EnrolmentLedger, intake: any CenterIntake, logger: Logger,
        now: @escaping @Sendable () -> Int64 = ChannelClock.system
    ) throws(EpitopeError) {
    }

    /// The port that the face listens on, as soon as it does.
    public var port: Int {
        get async throws { 0 }
    }

    public func run() async throws {
    }
}
