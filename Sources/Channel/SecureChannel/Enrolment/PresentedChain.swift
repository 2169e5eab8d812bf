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
    /// certificate. That the center holds its key is proven by the connection that follows, which is verified with this
    /// authority as the only trust.
    ///
    /// - Throws: `authority-mismatch`, `center-unreachable`.
    /// - Returns: the authority's certificate as PEM.
    static func authority(of center: CenterAddress, fingerprint: [UInt8]) async throws(EpitopeError) -> String {
        let mismatch = EpitopeError(
            .authorityMismatch, "the token is for another center than the one at \(center)",
            remedy: "check the address, and use a token of that center; if both are right, the connection may be intercepted")
        let chain = try await read(from: center)
        guard let leafDER = chain.first, let leaf = try? Certificate(derEncoded: leafDER),
            let authorityDER = chain.dropFirst().first(where: { Array(SHA256.hash(data: $0)) == fingerprint }),
            let authority = try? Certificate(derEncoded: authorityDER), leaf.issuer == authority.subject,
            authority.publicKey.isValidSignature(leaf.signature, for: leaf)
        else { throw mismatch }
        return try signing("encode the authority's certificate") { try PEM.text(authority) }
    }

    /// The chain as DER, the center's own certificate first.
    static func read(from center: CenterAddress) async throws(EpitopeError) -> [[UInt8]] {
        do {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.minimumTLSVersion = .tlsv13
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
                        try channel.pipeline.syncOperations.addHandlers([handler, EndOfHandshake(presented)])
                    }
                }
            do {
                let channel = try await bootstrap.connect(host: center.host, port: Int(center.port)).get()
                defer { channel.close(promise: nil) }
                return try await presented.futureResult.get()
            } catch {
                // A promise must be completed; completing it twice is allowed.
                presented.fail(error)
                throw error
            }
        } catch {
            throw ChannelFailure.error(for: error, center: center)
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

        func channelActive(context: ChannelHandlerContext) {
            let presented = presented
            timeout = context.eventLoop.scheduleTask(in: CenterTransport.connectTimeout) {
                presented.fail(ChannelError.connectTimeout(CenterTransport.connectTimeout))
            }
            context.fireChannelActive()
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
