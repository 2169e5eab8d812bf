// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import NIOPosix
import Signatures
import Synchronization
import Testing

@testable import SecureChannel

@Suite("Ways to a center by a proxy")
struct ProxyTests {
    private func proxy(_ host: String, _ environment: [String: String]) throws -> CenterProxy? {
        try CenterProxy.find(for: try CenterAddress(host: host, port: 7443)) { environment[$0] }
    }

    @Test func `The environment names the proxy, in small letters before capitals`() throws {
        #expect(try proxy("center.example", [:]) == nil)
        #expect(try proxy("center.example", ["https_proxy": ""]) == nil)
        #expect(try proxy("center.example", ["HTTPS_PROXY": "http://proxy.example:3128/"])?.name == "proxy.example:3128")
        #expect(try proxy("center.example", ["HTTPS_PROXY": "http://a", "https_proxy": "b:8080"])?.name == "b:8080")
        #expect(try proxy("center.example", ["https_proxy": "http://[2001:db8::1]"])?.name == "[2001:db8::1]:1080")
        let login = try #require(try proxy("center.example", ["https_proxy": "http://ad%61:p%3Aw@proxy:1"]))
        #expect(login.login == .init(user: "ada", password: "p:w") && login.name == "proxy:1")
    }

    @Test(arguments: [
        "https://ada:secret@proxy:1", "socks5://proxy:1", "http://", "http://ada:secret@proxy:0", "http://a b", "http://%zz:secret@proxy:1",
    ])
    func `A proxy that can't be used is told, without its password`(text: String) throws {
        let error = #expect(throws: EpitopeError.self) { try proxy("center.example", ["https_proxy": text]) }
        #expect(error?.code == .proxyMalformed && error?.description.contains("secret") == false)
    }

    @Test(arguments: ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
    func `A center on loopback is reached by a proxy that is there, too, and by no other`(host: String) throws {
        for text in ["proxy.example:3128", "http://10.1.2.3:1", "socks5://proxy:1"] {
            #expect(try proxy(host, ["https_proxy": text]) == nil)
        }
        for text in ["http://127.0.0.1:17481", "localhost:3128", "http://[::1]:1"] {
            #expect(try proxy(host, ["HTTPS_PROXY": text]) != nil)
            #expect(try proxy(host, ["HTTPS_PROXY": text, "no_proxy": host]) == nil)
        }
    }

    @Test(arguments: [
        ("center.example", "center.example", true), ("Center.Example", ".example", true), ("center.example", "*.example", true),
        ("center.example", "enter.example", false), ("center.example", "other, center.example:7443", true),
        ("center.example", "center.example:443", false), ("center.example", "*", true), ("center.example", "", false),
        ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.0.0.0/8", true), ("10.1.2.3", "10.1.2.3:7443", true),
        ("10.1.2.3", "10.1.2.3:1", false), ("10.1.2.3", "10.1.3.0/24", false), ("10.1.2.3", "10.1.2.3/33", false),
        ("10.1.2.3", "2.3", false), ("2001:db8::5", "2001:db8::/32", true), ("2001:db8::5", "[2001:db8::5]:7443", true),
    ])
    func `Some centers are reached without`(host: String, list: String, isWithout: Bool) throws {
        #expect(CenterProxy.isExcluded(try CenterAddress(host: host, port: 7443), by: list) == isWithout)
    }

    @Test func `Requests and the look at a center's chain go through the proxy`() async throws {
        try await TestCenter.run { center in
            let (port, asked, channel) = try await Self.startProxy(to: center.address)
            let identity = try center.identity()
            var proxy = try CenterProxy("http://\(Self.proxyHost):\(port)")
            proxy.login = .init(user: "ada", password: "secret")
            let chain = try await PresentedChain.read(from: center.address, by: proxy)
            #expect(chain.count == 2)
            let transport = try CenterTransport(
                center: center.address, authorityPEM: identity.authorityPEM, credentials: (identity.certificatePEM, identity.keyPEM),
                proxy: proxy)
            let answer = try await transport.get(ChannelPath.health, waitSeconds: 0)
            #expect(String(decoding: answer, as: UTF8.self).contains("serving"))
            await transport.shutdown()
            let target = center.address.description.dropFirst("https://".count)
            let requests = asked.withLock { $0.map { $0.lowercased() } }
            #expect(requests.count == 2)
            for request in requests {
                #expect(request.hasPrefix("connect \(target) http/1.1\r\n"), "\(request)")
                #expect(request.contains("proxy-authorization: basic \(Base64.encode("ada:secret").lowercased())\r\n"))
            }
            try await channel.close()
        }
    }

    @Test func `Nobody behind a proxy can pose as the center, neither an enrolled host nor a center of another authority`() async throws {
        try await TestCenter.run { center in
            let host = try center.identity()
            let impostor = try await CenterServerTests.serve(
                chain: [host.certificatePEM, center.authority.certificatePEM], key: host.keyPEM)
            let posing = try CenterAddress(host: "127.0.0.1", port: UInt16(try #require(impostor.localAddress?.port)))
            try await TestCenter.run { other in
                for address in [posing, other.address] {
                    let (port, asked, channel) = try await Self.startProxy(to: address)
                    let transport = try CenterTransport(
                        center: address, authorityPEM: host.authorityPEM, credentials: (host.certificatePEM, host.keyPEM),
                        proxy: try CenterProxy("http://\(Self.proxyHost):\(port)"))
                    let error = await #expect(throws: EpitopeError.self) { try await transport.get(ChannelPath.health, waitSeconds: 0) }
                    #expect(error?.code == .centerWrong, "\(error as Any)")
                    #expect(asked.withLock { !$0.isEmpty })
                    await transport.shutdown()
                    try await channel.close()
                }
            }
            try await impostor.close()
        }
    }

    @Test func `A proxy that refuses is named in the error`() async throws {
        try await TestCenter.run { center in
            let (port, _, channel) = try await Self.startProxy(to: center.address, answer: "HTTP/1.1 403 Forbidden\r\n\r\n")
            let proxy = try CenterProxy("http://\(Self.proxyHost):\(port)")
            let error = await #expect(throws: EpitopeError.self) { try await PresentedChain.read(from: center.address, by: proxy) }
            #expect(error?.code == .centerUnreachable)
            #expect(error?.message.contains("by the proxy at \(Self.proxyHost):\(port): it answered: HTTP/1.1 403 Forbidden") == true)
            try await channel.close()
        }
    }

    @Test(.timeLimit(.minutes(1))) func `An answer that stops in the middle is given up in time`() async throws {
        try await TestCenter.run { center in
            var update = CenterClientTests.update()
            update.proof = Proof(
                checks: (0..<8).map { Proof.Check(.init(rawValue: "check-\($0)"), passed: true, String(repeating: "x", count: 500)) })
            for sequence in 1...100 as ClosedRange<Int64> { await center.service.publish(FeedEntry(sequence: sequence, update: update)) }
            // Some 400 KB, of which the beginning comes.
            let (port, _, channel) = try await Self.startProxy(to: center.address, passing: 50_000)
            let identity = try center.identity(.localCenter, "site-2")
            var transport = try CenterTransport(
                center: center.address, authorityPEM: identity.authorityPEM, credentials: (identity.certificatePEM, identity.keyPEM),
                proxy: try CenterProxy("http://\(Self.proxyHost):\(port)"))
            transport.answerTimeout = .milliseconds(500)
            let sent = transport
            let error = await #expect(throws: EpitopeError.self) {
                try await sent.get("\(ChannelPath.updates)?after=0&mark=0&wait=0", waitSeconds: 0)
            }
            #expect(error?.code == .centerUnreachable && error?.message.hasSuffix("it did not answer in time") == true, "\(error as Any)")
            await transport.shutdown()
            try await channel.close()
        }
    }

    @Test func `A login is encoded as RFC 4648 says`() {
        for (text, encoded) in [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ] {
            #expect(Base64.encode(text) == encoded)
        }
    }

    /// Not that of the centers.
    private static let proxyHost = "127.0.0.2"

    /// A proxy on loopback that passes every connection on to one center.
    ///
    /// - Parameter passing: how many bytes of the center's come back; then it holds still.
    private static func startProxy(
        to center: CenterAddress, answer: String = "HTTP/1.1 200 OK\r\n\r\n", passing: Int = .max
    ) async throws -> (port: Int, asked: SharedList, channel: any Channel) {
        let asked = SharedList()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PassingOn(to: center, answer: answer, asked: asked, passing: passing))
                }
            }
            .bind(host: proxyHost, port: 0).get()
        return (channel.localAddress?.port ?? 0, asked, channel)
    }

    final class SharedList: Sendable {
        private let items = Mutex<[String]>([])
        func append(_ item: String) { items.withLock { $0.append(item) } }
        func withLock<Value>(_ body: ([String]) -> Value) -> Value { body(items.withLock { $0 }) }
    }

    /// Answers the first request, and passes all bytes after it to the center and back.
    private final class PassingOn: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let center: CenterAddress
        private let answer: String
        private let asked: SharedList
        private let passing: Int
        private var request = ""
        private var behind: (any Channel)?
        private var early: [ByteBuffer] = []

        init(to center: CenterAddress, answer: String, asked: SharedList, passing: Int) {
            (self.center, self.answer, self.asked, self.passing) = (center, answer, asked, passing)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let piece = unwrapInboundIn(data)
            if request.hasSuffix("\r\n\r\n") {
                if let behind { behind.writeAndFlush(piece, promise: nil) } else { early.append(piece) }
                return
            }
            request += String(buffer: piece)
            guard request.hasSuffix("\r\n\r\n") else { return }
            asked.append(request)
            let (front, passing) = (context.channel, passing)
            let answer = ByteBuffer(string: answer)
            let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Back(to: front, passing: passing))
                    }
                }
                .connect(host: center.host, port: Int(center.port))
                .whenComplete { result in
                    guard case .success(let channel) = result else { return front.close(promise: nil) }
                    handler.value.behind = channel
                    for piece in handler.value.early { channel.writeAndFlush(piece, promise: nil) }
                    front.writeAndFlush(answer, promise: nil)
                }
        }

        func channelInactive(context: ChannelHandlerContext) { behind?.close(promise: nil) }
    }

    private final class Back: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let front: any Channel

        private var left: Int

        init(to front: any Channel, passing: Int) { (self.front, left) = (front, passing) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var piece = unwrapInboundIn(data)
            guard let part = piece.readSlice(length: min(left, piece.readableBytes)), part.readableBytes > 0 else { return }
            left -= part.readableBytes
            front.writeAndFlush(part, promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { front.close(promise: nil) }
    }
}
