// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import X509

/// The certificates that a center presents, read in a handshake that accepts none of them and sends nothing.
enum PresentedChain {
    /// Finds the authority with the pinned fingerprint in the center's chain, and checks that it signed the center's
    /// certificate, that this is a center's, and that it is for the address as it was given. That the center holds its key is proven by
    /// the connection that follows, which is verified with this authority as the only trust.
    ///
    /// - Throws: `authority-mismatch`, `center-wrong`, `center-unreachable`.
    /// - Returns: the authority's certificate as PEM.
    static func authority(
        of center: CenterAddress, by relay: RelayAddress? = nil, fingerprint: [UInt8]
    ) async throws(EpitopeError) -> String {
        let mismatch = EpitopeError(
            .authorityMismatch, "the token is for another center than the one at \(center)",
            remedy:
                "check the address, and use a token of that center, made since its authority was last replaced; if both are right, the connection may be intercepted"
        )
        let chain = try await read(from: center, by: try CenterProxy.find(for: center, relay: relay))
        guard let leafDER = chain.first, let leaf = try? Certificate(derEncoded: leafDER),
            let authorityDER = chain.dropFirst().first(where: { Array(SHA256.hash(data: $0)) == fingerprint }),
            let authority = try? Certificate(derEncoded: authorityDER), leaf.issuer == authority.subject,
            authority.publicKey.isValidSignature(leaf.signature, for: leaf)
        else { throw mismatch }
        try requireCenter(leaf, at: center)
        return try signing("encode the authority's certificate") { try PEM.text(authority) }
    }

    /// Checks what the certificate says of its holder. The TLS library, which verifies every connection, takes an IP address in the
    /// certificate for any name that leads there: who enrols is told now, before the name leads elsewhere.
    private static func requireCenter(_ leaf: Certificate, at center: CenterAddress) throws(EpitopeError) {
        guard let identity = CertificateIdentity.read(from: leaf), identity.role == .center else {
            throw EpitopeError(
                .centerWrong, "the server at \(center) has the certificate of an enrolled host or site, and not the center's",
                remedy: "tell the center's operator: somebody poses as the center at that address")
        }
        let names = ServerCertificate.names(in: leaf)
        guard !names.contains(where: { center.isNamed($0) }) else { return }
        throw EpitopeError(
            .centerWrong, "the certificate of the center at \(center) is for \(names.joined(separator: ", ")), and not for \(center.host)",
            remedy:
                "give one of these in the center's address, or have its operator add this one (`renew` with an --address for each, and a restart)"
        )
    }

    /// Why a center's certificate was refused, if its dates are the reason: one of two clocks is wrong, or it was not renewed.
    ///
    /// - Parameter authorityPEM: the authorities of which one is to have issued it.
    /// - Returns: `center-out-of-date`; `nil` when it is another server's, or within its dates.
    static func clockError(
        of center: CenterAddress, by proxy: CenterProxy? = nil, _ authorityPEM: String, nowMilliseconds: Int64 = ChannelClock.system()
    ) async -> EpitopeError? {
        guard let authorities = try? PEMDocument.parseMultiple(pemString: authorityPEM).map({ try Certificate(pemDocument: $0) }),
            let chain = try? await read(from: center, by: proxy),
            let leaf = chain.first.flatMap({ try? Certificate(derEncoded: $0) }),
            authorities.contains(where: { leaf.issuer == $0.subject && $0.publicKey.isValidSignature(leaf.signature, for: leaf) })
        else { return nil }
        let (begins, ends) = (leaf.notValidBefore.milliseconds, leaf.notValidAfter.milliseconds)
        let clock = "and this machine's clock shows \(ChannelClock.text(nowMilliseconds))"
        if nowMilliseconds < begins {
            return EpitopeError(
                .centerOutOfDate,
                "the certificate of the center at \(center) begins at \(ChannelClock.text(begins)), \(clock): this machine's clock is behind, or the center's is ahead",
                remedy: "set the clock that is wrong; what waits is sent then")
        }
        guard nowMilliseconds > ends else { return nil }
        return EpitopeError(
            .centerOutOfDate,
            "the certificate of the center at \(center) ended at \(ChannelClock.text(ends)), \(clock): this machine's clock is ahead, or the center has not renewed its certificate",
            remedy: "check this machine's clock; if it is right, restart the center, which renews its certificate, and look at its log")
    }

    /// The chain as DER, the center's own certificate first.
    ///
    /// - Parameter proxy: on the way to the center.
    static func read(from center: CenterAddress, by proxy: CenterProxy? = nil) async throws(EpitopeError) -> [[UInt8]] {
        do {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.minimumTLSVersion = .tlsv13
            // None is trusted here; the system's, which are the default, may be missing on a small machine.
            tls.trustRoots = .certificates([])
            let context = try NIOSSLContext(configuration: tls)
            let group = MultiThreadedEventLoopGroup.singleton
            let presented = group.next().makePromise(of: [[UInt8]].self)
            let bootstrap = ClientBootstrap(group: group)
                .connectTimeout(CenterTransport.connectTimeout)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = try NIOSSLClientHandler(
                            context: context, serverHostname: center.serverName,
                            customVerificationCallback: { certificates, verdict in
                                presented.completeWith(Result { try certificates.map { try $0.toDERBytes() } })
                                // Nothing is sent on this connection; it ends here.
                                verdict.succeed(.failed)
                            })
                        let end = EndOfHandshake(presented)
                        if let proxy { try channel.pipeline.syncOperations.addHandler(ProxyTunnel(to: center, by: proxy)) }
                        try channel.pipeline.syncOperations.addHandlers([handler, end])
                        end.begin(on: channel.eventLoop)
                    }
                }
            do {
                let channel = try await bootstrap.connect(host: proxy?.host ?? center.host, port: Int(proxy?.port ?? center.port)).get()
                defer { channel.close(promise: nil) }
                return try await presented.futureResult.get()
            } catch {
                // A promise must be completed; completing it twice is allowed.
                presented.fail(error)
                throw error
            }
        } catch {
            throw ChannelFailure.error(for: error, center: center, by: proxy)
        }
    }

    /// Ends the wait for a chain when the other side closes, fails, or does not answer.
    private final class EndOfHandshake: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let presented: EventLoopPromise<[[UInt8]]>
        private var timeout: Scheduled<Void>?

        init(_ presented: EventLoopPromise<[[UInt8]]>) {
            self.presented = presented
        }

        /// From before the connection on: a proxy may never open its own.
        func begin(on loop: any EventLoop) {
            let presented = presented
            let limit = CenterTransport.connectTimeout * 2
            timeout = loop.scheduleTask(in: limit) { presented.fail(ChannelError.connectTimeout(limit)) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            timeout?.cancel()
            presented.fail(ChannelError.eof)
            context.fireChannelInactive()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            presented.fail(error)
            context.close(promise: nil)
        }
    }
}
