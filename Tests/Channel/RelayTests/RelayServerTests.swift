// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import NIOPosix
import SecureChannel
import Synchronization
import Testing

@testable import Relay

/// A relay between a client and a server of the test's own, on loopback.
@Suite(.timeLimit(.minutes(1))) struct RelayServerTests {
    /// Answers each piece with the same, and remembers what came.
    private final class Echo: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let received = Mutex<[UInt8]>([])
        let isEchoing: Bool
        init(isEchoing: Bool = true) { self.isEchoing = isEchoing }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            received.withLock { $0 += Array(buffer: bytes) }
            if isEchoing { context.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }
        }
    }

    /// Keeps what comes.
    private final class Sink: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let received = Mutex<[UInt8]>([])
        let isOver = Mutex(false)
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            received.withLock { $0 += Array(buffer: bytes) }
        }
        func channelInactive(context: ChannelHandlerContext) { isOver.withLock { $0 = true } }
        var text: String { received.withLock { String(decoding: $0, as: UTF8.self) } }
    }

    private final class Place: Sendable {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let echo: Echo
        let center: any Channel
        let relay: RelayServer
        let port: Int
        private let running: Task<Void, any Error>

        init(isEchoing: Bool = true, _ change: (inout RelaySettings) -> Void = { _ in }) async throws {
            let echo = Echo(isEchoing: isEchoing)
            self.echo = echo
            center = try await ServerBootstrap(group: group)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(echo) }
                }
                .bind(host: "127.0.0.1", port: 0).get()
            let address = try CenterAddress(host: "127.0.0.1", port: UInt16(try #require(center.localAddress?.port)))
            var settings = RelaySettings(host: "127.0.0.1", port: 0, centers: [address])
            change(&settings)
            let relay = RelayServer(settings)
            self.relay = relay
            let (ports, listening) = AsyncStream<Int>.makeStream()
            running = Task { try await relay.run { listening.yield($0) } }
            var iterator = ports.makeAsyncIterator()
            port = try #require(await iterator.next())
        }

        var target: String { "127.0.0.1:\(center.localAddress?.port ?? 0)" }

        func client() async throws -> (any Channel, Sink) {
            let sink = Sink()
            let channel = try await ClientBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(sink) }
                }
                .connect(host: "127.0.0.1", port: port).get()
            return (channel, sink)
        }

        func end() async throws {
            running.cancel()
            try await running.value
            try await center.close()
            try await group.shutdownGracefully()
        }
    }

    private func until(_ what: String, _ isSo: () -> Bool) async throws {
        for _ in 0..<2000 where !isSo() { try await Task.sleep(for: .milliseconds(5)) }
        #expect(isSo(), "\(what)")
    }

    private func say(_ text: String, on channel: any Channel) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    @Test func `What a host and its center say passes as it is, both ways, and an end of one side alone`() async throws {
        let place = try await Place()
        let (client, sink) = try await place.client()
        // The request and the first bytes behind it in one piece.
        try await say("CONNECT \(place.target) HTTP/1.1\r\nhost: x\r\n\r\nfirst ", on: client)
        try await until("the answer") { sink.text == RelayRequest.granted + "first " }
        let much = String(repeating: "0123456789abcdef", count: 64 << 10)
        try await say(much, on: client)
        try await until("all of it back") { sink.received.withLock { $0.count } == RelayRequest.granted.utf8.count + 6 + much.utf8.count }
        #expect(place.echo.received.withLock { $0 } == Array(("first " + much).utf8))
        try await client.close(mode: .output)
        try await until("the end, after the center's") { place.relay.counts.passed == 1 }
        client.close(promise: nil)
        try await until("the place is free") { place.relay.counts.open == 0 }
        let counts = place.relay.counts
        #expect(counts.bytesUp == UInt64(6 + much.utf8.count) && counts.bytesDown == counts.bytesUp && counts.refused.isEmpty)
        try await place.end()
    }

    @Test func `It leads nowhere else, and takes nothing but requests`() async throws {
        let place = try await Place()
        for (text, status) in [
            ("CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", 403), ("GET / HTTP/1.1\r\n\r\n", 405), ("\u{16}\u{3}\u{1}\u{2}", 400),
        ] {
            let (client, sink) = try await place.client()
            try await say(text, on: client)
            try await until("the refusal") { sink.isOver.withLock { $0 } }
            #expect(sink.text.hasPrefix("HTTP/1.1 \(status) "), "\(sink.text)")
        }
        #expect(place.relay.counts.refused == [400: 1, 403: 1, 405: 1] && place.relay.counts.passed == 0)
        #expect(place.echo.received.withLock { $0.isEmpty })
        try await place.end()
    }

    @Test func `A center that can't be reached is said`() async throws {
        let dead = try CenterAddress(host: "127.0.0.1", port: 1)
        let place = try await Place { $0.centers = [dead] }
        let (client, sink) = try await place.client()
        try await say("CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", on: client)
        try await until("the refusal") { sink.isOver.withLock { $0 } }
        #expect(sink.text.hasPrefix("HTTP/1.1 502 "))
        try await place.end()
    }

    @Test func `Connections beyond a machine's, or of another network, are closed at once`() async throws {
        let place = try await Place { $0.bounds.connectionsOfMachine = 2 }
        let (first, _) = try await place.client()
        let (_, _) = try await place.client()
        try await until("two are there") { place.relay.counts.open == 2 }
        let (_, third) = try await place.client()
        try await until("the third is closed") { third.isOver.withLock { $0 } }
        #expect(place.relay.counts.turnedAway == 1)
        first.close(promise: nil)
        try await until("its place is free") { place.relay.counts.open == 1 }
        let (again, sink) = try await place.client()
        try await say("CONNECT \(place.target) HTTP/1.1\r\n\r\n", on: again)
        try await until("the answer") { sink.text == RelayRequest.granted }
        try await place.end()
        let network = try #require(IPNetwork("192.0.2.0/24"))
        let closed = try await Place { $0.allowed = [network] }
        let (_, other) = try await closed.client()
        try await until("it is closed") { other.isOver.withLock { $0 } }
        #expect(closed.relay.counts.turnedAway == 1 && closed.relay.counts.open == 0)
        try await closed.end()
    }

    @Test func `A connection ends that carries too much, or on which nothing is said`() async throws {
        let place = try await Place {
            $0.bounds.connectionMegabytes = 1
            $0.bounds.idleSeconds = 1
        }
        let (client, sink) = try await place.client()
        try await say("CONNECT \(place.target) HTTP/1.1\r\n\r\n" + String(repeating: "x", count: 800 << 10), on: client)
        try await until("the end: half of it back would be more than is allowed") { sink.isOver.withLock { $0 } }
        #expect(place.relay.counts.ended >= 1)
        let (quiet, silence) = try await place.client()
        try await say("CONNECT \(place.target) HTTP/1.1\r\n\r\n", on: quiet)
        try await until("the end of the quiet one") { silence.isOver.withLock { $0 } }
        #expect(silence.text == RelayRequest.granted && place.relay.counts.ended >= 2)
        try await place.end()
    }

    /// What is read ahead waits in the relay's memory.
    @Test func `A center that takes nothing has nothing more read for it`() async throws {
        let place = try await Place()
        try await place.center.setOption(.autoRead, value: true).get()
        let (client, _) = try await place.client()
        try await say("CONNECT \(place.target) HTTP/1.1\r\n\r\n", on: client)
        // The client reads nothing of the echo, so that the echo's channel fills, then the relay, then the client's own.
        try await client.setOption(.autoRead, value: false).get()
        let piece = ByteBuffer(repeating: 7, count: 1 << 20)
        for _ in 0..<64 { client.writeAndFlush(piece, promise: nil) }
        try await Task.sleep(for: .milliseconds(500))
        let first = place.relay.counts
        try await Task.sleep(for: .milliseconds(300))
        let second = place.relay.counts
        // Beyond the sockets' own buffers nothing moves: far less than what was written.
        #expect(second.bytesDown < 40 << 20 && first.bytesDown == second.bytesDown, "\(first) \(second)")
        client.close(promise: nil)
        try await place.end()
    }

    @Test func `It tells where a connection comes from, before its first byte`() async throws {
        let place = try await Place(isEchoing: false) { $0.tellsAddresses = true }
        let (client, sink) = try await place.client()
        try await say("CONNECT \(place.target) HTTP/1.1\r\n\r\n", on: client)
        try await until("the answer") { sink.text == RelayRequest.granted }
        try await say("hello", on: client)
        try await until("all came") { place.echo.received.withLock { $0.suffix(5) == Array("hello".utf8)[...] } }
        let bytes = place.echo.received.withLock { $0 }
        guard case .header(let header, let length) = ProxyHeader.read(bytes) else {
            Issue.record("no header")
            return
        }
        #expect(header.source?.address == IPAddress("127.0.0.1") && header.source?.port == UInt16(client.localAddress?.port ?? 0))
        #expect(header.destination?.port == UInt16(place.port) && Array(bytes[length...]) == Array("hello".utf8))
        try await place.end()
    }

    @Test func `A port that another program has is said`() async throws {
        let place = try await Place()
        let second = RelayServer(RelaySettings(host: "127.0.0.1", port: place.port, centers: []))
        await #expect { try await second.run { _ in } } throws: { ($0 as? EpitopeError)?.code == .relayNotListening }
        try await place.end()
    }
}
