// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import PacketCoding
import Signatures
import TestSupport
import Testing

@testable import SecureChannel

/// Who is revoked while a request of its is open has nothing of it.
@Suite(.timeLimit(.minutes(2)))
struct RevocationTests {
    @Test(arguments: [ChannelPath.packets, ChannelPath.withheld])
    func `A message whose sender is revoked before its last byte has come is refused`(path: String) async throws {
        try await TestCenter.run { center in
            let identity = try center.identity()
            let counts = WithheldCounts(day: 20_000, suppressed: 3)
            let body = path == ChannelPath.packets ? Samples.packet().encoded() : try ChannelJSON.encode(counts)
            let request = try await SlowRequest(path: path, body: body, from: identity, to: center)
            try await request.sendAllButTheLastByte()
            // The center has read the head, and let the sender in.
            while await center.ledger.checks == 0 { try await Task.sleep(for: .milliseconds(5)) }
            await center.ledger.revoke(identity.subject, nowMilliseconds: center.clock.now())
            let answer = try await request.finish()
            #expect(answer.contains(" 403 ") && answer.contains("revoked"), "\(answer)")
            #expect(await center.service.packets.isEmpty)
            #expect(await center.service.counts.isEmpty)
        }
    }

    @Test
    func `A subscriber that is revoked while it waits gets no update`() async throws {
        try await TestCenter.run { center in
            let site = try center.identity(.localCenter, "site-2")
            try await center.client(site) { client in
                let waiting = Task { try await client.updates(after: FeedPosition(sequence: 0), waitSeconds: 60) }
                while await center.service.waitingSubscribers == 0 { try await Task.sleep(for: .milliseconds(5)) }
                await center.ledger.revoke(site.subject, nowMilliseconds: center.clock.now())
                await center.service.publish(FeedEntry(sequence: 1, update: CenterClientTests.update()))
                let error = await #expect(throws: EpitopeError.self) { try await waiting.value }
                #expect(error?.code == .revoked)
            }
        }
    }
}

/// A request whose body comes in two pieces.
private struct SlowRequest {
    private let channel: any Channel
    private let head: String
    private let body: [UInt8]
    private let answer: EventLoopPromise<String>

    init(path: String, body: [UInt8], from identity: StoredIdentity, to center: TestCenter) async throws {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .certificates([try NIOSSLCertificate(bytes: Array(identity.authorityPEM.utf8), format: .pem)])
        tls.certificateChain = [.certificate(try NIOSSLCertificate(bytes: Array(identity.certificatePEM.utf8), format: .pem))]
        tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(identity.keyPEM.utf8), format: .pem))
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

    func sendAllButTheLastByte() async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: Array(head.utf8) + body.dropLast())).get()
    }

    func finish() async throws -> String {
        try await channel.writeAndFlush(ByteBuffer(bytes: body.suffix(1))).get()
        let text = try await answer.futureResult.get()
        try? await channel.close()
        return text
    }
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
