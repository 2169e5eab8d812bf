// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import EpitopeModel
import HummingbirdCore
import Logging
import NIOCore
import NIOSSL
import SecureChannel
import Synchronization

/// The server's side of TLS. The certificate can be replaced while connections are open; those keep the old one.
final class ServerTLS: Sendable {
    private let context: Mutex<NIOSSLContext>
    private let counters: CenterCounters

    init(_ certificate: ServerCertificate, counters: CenterCounters = CenterCounters()) throws(EpitopeError) {
        self.counters = counters
        context = Mutex(try Self.makeContext(certificate))
        counters.serverCertificateEnds.set(certificate.expiresMilliseconds)
    }

    /// Uses another certificate for new connections. When it can't be used, the old one stays.
    func replace(_ certificate: ServerCertificate) throws(EpitopeError) {
        let next = try Self.makeContext(certificate)
        context.withLock { $0 = next }
        counters.serverCertificateEnds.set(certificate.expiresMilliseconds)
    }

    var current: NIOSSLContext { context.withLock { $0 } }

    private static func makeContext(_ certificate: ServerCertificate) throws(EpitopeError) -> NIOSSLContext {
        do {
            let chain = try certificate.chainPEM.map { try NIOSSLCertificate(bytes: Array($0.utf8), format: .pem) }
            let key = try NIOSSLPrivateKey(bytes: Array(certificate.keyPEM.utf8), format: .pem)
            var tls = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            tls.minimumTLSVersion = .tlsv13
            // Not the system's, which a small machine lacks: it is the authority that issued them by which peers are judged.
            tls.trustRoots = .certificates(Array(chain.dropFirst()))
            // A certificate is requested but not required: a host that enrols has none yet.
            tls.certificateVerification = .optionalVerification
            // How long a peer may take to close: a center that stops must not wait for a host that is gone.
            tls.shutdownTimeout = .seconds(1)
            return try NIOSSLContext(configuration: tls)
        } catch {
            throw EpitopeError(
                .certificateMalformed, "the center's own certificate can't be used",
                remedy:
                    "have the authority issue a new one (`epitope local-center renew --address ADDRESS`, or `global-center`), or restore it from a backup"
            )
        }
    }
}

/// HTTP under TLS.
///
/// The handshake proves that the peer holds the key of the certificate that it shows. Whether that certificate is valid
/// here is decided for each request by ``PeerAuthenticator``: a refused handshake gives the peer only an alert number,
/// while a host whose certificate has expired must be told so.
struct MutualTLSChannel: ServerChildChannel {
    private let base: HTTP1Channel
    private let tls: ServerTLS
    private let places: ConnectionPlaces
    private let relays: [IPNetwork]

    /// - Parameter relays: whose connections begin with a header that tells where they come from.
    init(_ base: HTTP1Channel, tls: ServerTLS, places: ConnectionPlaces, relays: [IPNetwork]) {
        self.relays = relays
        self.base = base
        self.tls = tls
        self.places = places
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        channel.eventLoop.makeCompletedFuture {
            let source = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }?.unmapped
            let isRelay = source.map { source in relays.contains { $0.contains(source) } } ?? false
            places.opened(channel, isRelay: isRelay)
            if isRelay { try channel.pipeline.syncOperations.addHandler(RelayedSource(places)) }
            try channel.pipeline.syncOperations.addHandler(
                NIOSSLServerHandler(
                    context: tls.current,
                    customVerificationCallback: { _, verdict in verdict.succeed(.certificateVerified) }))
        }.flatMap {
            base.setup(channel: channel, logger: logger)
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}
