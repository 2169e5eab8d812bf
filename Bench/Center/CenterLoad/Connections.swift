// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL

/// Opens connections to a target, or to one of several, each with its script.
struct Connections: Sendable {
    private let targets: [Target]
    private let group: any EventLoopGroup
    /// Loopback has some 28,000 ports for one pair of addresses; more connections take more addresses of 127.0.0.0/8.
    private let sourceAddresses: Int
    /// Which of them: hosts that are not to count as one machine have each its own, and those of another prefix others.
    private let first: Int

    init(to target: Target, threads: Int = 1, sourceAddresses: Int = 1) {
        first = 0
        targets = [target]
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        self.sourceAddresses = sourceAddresses
    }

    /// - Parameter prefix: of the names of the hosts, each of which has an address of its own.
    init(to targets: [Target], hosts: Int, prefix: String) {
        // FNV-1a. The first address is not that of the center, nor one of those above.
        let hash = prefix.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        first = 0x20000 + Int(hash % 0xD00000)
        self.targets = targets
        self.group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        sourceAddresses = hosts
    }

    /// Opens a connection and returns when it is closed.
    ///
    /// - Parameters:
    ///   - tls: `nil`: plain HTTP.
    ///   - attempt: of several targets the first are spread over the connections, and the next attempt is at the next one.
    func run(
        _ script: @escaping @Sendable () -> any ConnectionScript, tls: NIOSSLContext?, number: Int = 0, attempt: Int = 0
    ) async throws {
        let channel = try await open(script, tls: tls, number: number, attempt: attempt)
        try await channel.closeFuture.get()
    }

    /// Opens a connection.
    func open(
        _ script: @escaping @Sendable () -> any ConnectionScript, tls: NIOSSLContext?, number: Int = 0, attempt: Int = 0
    ) async throws -> any Channel {
        let target = targets[(number + attempt) % targets.count]
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
        // Where the center is elsewhere, it sees this machine's address.
        if sourceAddresses + first > 1, target.address.hasPrefix("127.") {
            let place = first == 0 ? 0x101 : first
            let number = place + number % sourceAddresses
            let address = "127.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
            bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: address, port: 0))
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
