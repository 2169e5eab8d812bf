// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL

/// Opens connections to one target, each with its script.
struct Connections: Sendable {
    private let target: Target
    private let group: any EventLoopGroup
    /// Loopback has some 28,000 ports for one pair of addresses; more connections take more addresses of 127.0.0.0/8.
    private let sourceAddresses: Int

    init(to target: Target, threads: Int = 1, sourceAddresses: Int = 1) {
        self.target = target
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        self.sourceAddresses = sourceAddresses
    }

    /// Opens a connection and returns when it is closed.
    ///
    /// - Parameter tls: `nil`: plain HTTP.
    func run(_ script: @escaping @Sendable () -> any ConnectionScript, tls: NIOSSLContext?, number: Int = 0) async throws {
        let channel = try await open(script, tls: tls, number: number)
        try await channel.closeFuture.get()
    }

    /// Opens a connection.
    func open(
        _ script: @escaping @Sendable () -> any ConnectionScript, tls: NIOSSLContext?, number: Int = 0
    ) async throws -> any Channel {
        var bootstrap = ClientBootstrap(group: group)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: nil)) }
                    try channel.pipeline.syncOperations.addHandler(ScriptHandler(script()))
                    if tls == nil { try channel.pipeline.syncOperations.addHandler(PlainStart(), position: .first) }
                }
            }
        if sourceAddresses > 1 {
            bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: "127.0.1.\(1 + number % sourceAddresses)", port: 0))
        }
        return try await bootstrap.connect(host: target.address, port: target.port).get()
    }

    /// As many tasks as connections, each of which runs until `body` ends.
    static func inParallel(_ count: Int, _ body: @escaping @Sendable (Int) async -> Void) async {
        await withTaskGroup { group in
            for number in 0..<count { group.addTask { await body(number) } }
        }
    }
}
