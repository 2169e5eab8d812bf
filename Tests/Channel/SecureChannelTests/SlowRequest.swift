// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

@testable import SecureChannel

/// A request whose body comes in two pieces.
struct SlowRequest {
    private let channel: any Channel
    private let head: String
    private let body: [UInt8]
    private let answer: EventLoopPromise<String>

    /// - Parameter identity: whose certificate is shown; `nil`: none is.
    init(path: String, body: [UInt8], from identity: StoredIdentity?, to center: TestCenter) async throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates([try NIOSSLCertificate(bytes: Array(center.authority.certificatePEM.utf8), format: .pem)])
        if let identity {
            tls.certificateChain = [.certificate(try NIOSSLCertificate(bytes: Array(identity.certificatePEM.utf8), format: .pem))]
            tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(identity.keyPEM.utf8), format: .pem))
        }
        let context = try NIOSSLContext(configuration: tls)
        let group = MultiThreadedEventLoopGroup.singleton
        let answer = group.any().makePromise(of: String.self)
        channel = try await ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers(
                    NIOSSLClientHandler(context: context, serverHostname: nil), FirstAnswer(answer))
            }
        }.connect(host: "127.0.0.1", port: Int(center.address.port)).get()
        head = "POST \(path) HTTP/1.1\r\nhost: center\r\ncontent-length: \(body.count)\r\n\r\n"
        self.body = body
        self.answer = answer
    }

    /// Whether the center has not closed the connection.
    var isOpen: Bool { channel.isActive }

    func sendAllButTheLastByte() async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: Array(head.utf8) + body.dropLast())).get()
    }

    func finish() async throws -> String {
        try await channel.writeAndFlush(ByteBuffer(bytes: body.suffix(1))).get()
        let text = try await answer.futureResult.get()
        try? await channel.close()
        return text
    }

    /// Waits until the center closes the connection.
    func closed() async throws { try await channel.closeFuture.get() }

    func close() async throws { try await channel.close() }
}

private final class FirstAnswer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let answer: EventLoopPromise<String>
    private var text = ""

    init(_ answer: EventLoopPromise<String>) { self.answer = answer }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
        // Refusals are one JSON object.
        if text.hasSuffix("}") { answer.succeed(text) }
    }

    func channelInactive(context: ChannelHandlerContext) { answer.succeed(text) }
}
