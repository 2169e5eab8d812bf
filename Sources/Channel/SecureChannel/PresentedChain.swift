// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import NIOCore
import NIOPosix
import NIOSSL
import SwiftASN1
import X509

/// The certificates that a center presents, read in a handshake that trusts nobody and sends nothing.
enum PresentedChain {
    /// Finds the authority with the pinned fingerprint in the center's chain, and sees that it signed the center's
    /// certificate. That alone doesn't prove that the center holds its key: the full verification of the connection
    /// that follows, with this authority as the only trust, does.
    ///
    /// - Throws: `authority-mismatch`, `center-unreachable`.
    /// - Returns: the authority's certificate as PEM.
    static func authority(of center: CenterAddress, fingerprint: [UInt8]) async throws(EpitopeError) -> String {
        let mismatch = EpitopeError(
            .authorityMismatch, "the center at \(center) is not the one that the token is for",
            remedy: "check the address and get a token from that very center; if both are right, someone is in between")
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
                                // Nothing is said on this connection; it ends here.
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
                // Completing it twice is allowed and the second time ignored: a promise must never be left open.
                presented.fail(error)
                throw error
            }
        } catch {
            throw ChannelFailure.error(for: error, center: center)
        }
    }

    /// Ends the wait for a chain when the other side closes, errs, or stays silent.
    private final class EndOfHandshake: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let presented: EventLoopPromise<[[UInt8]]>
        private var silence: Scheduled<Void>?

        init(_ presented: EventLoopPromise<[[UInt8]]>) {
            self.presented = presented
        }

        func channelActive(context: ChannelHandlerContext) {
            let presented = presented
            silence = context.eventLoop.scheduleTask(in: CenterTransport.connectTimeout) {
                presented.fail(ChannelError.connectTimeout(CenterTransport.connectTimeout))
            }
            context.fireChannelActive()
        }

        func channelInactive(context: ChannelHandlerContext) {
            silence?.cancel()
            presented.fail(ChannelError.eof)
            context.fireChannelInactive()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            presented.fail(error)
            context.close(promise: nil)
        }
    }
}
