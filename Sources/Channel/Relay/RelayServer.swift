// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import NIOCore
import NIOPosix
public import SecureChannel

/// What a relay does.
public struct RelaySettings: Hashable, Sendable {
    /// Where it listens.
    public var host: String
    /// 0: any free port.
    public var port: Int
    /// The centers that it leads to, and nowhere else; at least one.
    public var centers: [CenterAddress]
    /// Whether it tells the centers where each connection comes from (``SecureChannel/ProxyHeader``), which must expect it.
    public var tellsAddresses: Bool
    /// The networks that may use it; empty: all that reach it.
    public var allowed: [IPNetwork]
    public var bounds: RelayBounds

    public init(
        host: String, port: Int, centers: [CenterAddress], tellsAddresses: Bool = false, allowed: [IPNetwork] = [],
        bounds: RelayBounds = RelayBounds()
    ) {
        self.host = host
        self.port = port
        self.centers = centers
        self.tellsAddresses = tellsAddresses
        self.allowed = allowed
        self.bounds = bounds
    }
}

/// A relay for hosts that have no way to a center: it passes their TLS connections on, as they are, to the centers that it was given. It
/// has no key, decides on nothing that a center decides on, and keeps nothing.
public final class RelayServer: Sendable {
    private let settings: RelaySettings
    private let places: RelayPlaces
    private let group: MultiThreadedEventLoopGroup

    public init(_ settings: RelaySettings) {
        self.settings = settings
        places = RelayPlaces(settings.bounds, allowed: settings.allowed)
        group = MultiThreadedEventLoopGroup(numberOfThreads: min(4, System.coreCount))
    }

    /// What it did so far.
    public var counts: RelayCounts { places.counts }

    /// Passes connections on until the task is cancelled.
    ///
    /// - Parameter listening: is told the port once it listens.
    /// - Throws: `relay-not-listening`.
    public func run(listening: @Sendable (Int) -> Void) async throws(EpitopeError) {
        let (settings, places) = (settings, places)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: RelayBounds.buffered.low, high: RelayBounds.buffered.high))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let source = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
                    guard places.take(channel, from: source) else { return channel.close(promise: nil) }
                    try channel.pipeline.syncOperations.addHandler(RelayHandler(settings, places, source: source))
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(host: settings.host, port: settings.port).get()
        } catch {
            try? await group.shutdownGracefully()
            throw EpitopeError(
                .relayNotListening, "the relay can't listen on \(settings.host), port \(settings.port): \(error)",
                remedy: "give --listen an address of this machine and a port that no other program has")
        }
        listening(channel.localAddress?.port ?? settings.port)
        await withTaskCancellationHandler {
            try? await channel.closeFuture.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        places.close()
        try? await group.shutdownGracefully()
    }
}
