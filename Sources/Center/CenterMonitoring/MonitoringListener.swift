// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import EpitopeModel
import Glibc
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Plain HTTP for Prometheus and for whoever starts centers anew. It has a thread of its own, few connections, and few seconds for each,
/// one request on each: whatever is done to it, no host notices.
public struct MonitoringListener: Sendable {
    /// Connections at a time.
    static let maxConnections = 16
    /// From its beginning to its end.
    static let connectionTime = TimeAmount.seconds(10)
    /// Between attempts to listen where that fails: the center does not wait for it.
    private static let retryInterval = Duration.seconds(30)

    private let address: MonitoringAddress
    private let monitor: CenterMonitor
    private let logger: Logger

    public init(_ address: MonitoringAddress, monitor: CenterMonitor, logger: Logger) {
        self.address = address
        self.monitor = monitor
        self.logger = logger
    }

    /// Listens until the task is cancelled.
    public func run() async {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        while !Task.isCancelled {
            do {
                let channel = try await bind(on: group)
                let port = channel.localAddress?.port
                logger.info("metrics, /live and /ready are served on \(address)\(port.map { " (port \($0))" } ?? "")")
                await withTaskCancellationHandler {
                    try? await channel.closeFuture.get()
                } onCancel: {
                    channel.close(promise: nil)
                }
            } catch {
                logger.error(
                    "metrics can't be served on \(address), which is tried again: \(error)",
                    metadata: ["code": "\(EpitopeError.Code.monitoringFailed.rawValue)"])
                try? await Task.sleep(for: Self.retryInterval)
            }
        }
        try? await group.shutdownGracefully()
    }

    private func bind(on group: MultiThreadedEventLoopGroup) async throws -> any Channel {
        let (monitor, open) = (monitor, OpenConnections())
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 32)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try Self.begin(channel, monitor, open) }
            }
        switch address {
        case .internet(let host, let port):
            return try await bootstrap.serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host.description, port: Int(port)).get()
        case .socket(let path):
            guard await !Self.isServed(path, on: group) else {
                throw EpitopeError(
                    .monitoringFailed, "another program listens on \(path)", remedy: "give --metrics a path of its own")
            }
            let channel = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
            // For the group of the center's user, such as Prometheus.
            chmod(path, 0o660)
            return channel
        }
    }

    /// Whether somebody answers on a socket's path. One that an earlier run left is nobody's.
    private static func isServed(_ path: String, on group: MultiThreadedEventLoopGroup) async -> Bool {
        guard let channel = try? await ClientBootstrap(group: group).connect(unixDomainSocketPath: path).get() else { return false }
        try? await channel.close()
        return true
    }

    private static func begin(_ channel: any Channel, _ monitor: CenterMonitor, _ open: OpenConnections) throws {
        guard open.take() else {
            monitor.counters.lost.add(.scrapesTurnedAway)
            channel.close(promise: nil)
            return
        }
        let deadline = channel.eventLoop.scheduleTask(in: connectionTime) {
            monitor.counters.lost.add(.scrapesTurnedAway)
            channel.close(promise: nil)
        }
        channel.closeFuture.whenComplete { _ in
            deadline.cancel()
            open.release()
        }
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
        try channel.pipeline.syncOperations.addHandler(MonitoringHandler(monitor))
    }
}

extension EpitopeError.Code {
    /// The listener for metrics can't be had; the center works without.
    static let monitoringFailed = EpitopeError.Code("monitoring-failed")
}

private final class OpenConnections: Sendable {
    private let count = Mutex(0)

    func take() -> Bool {
        count.withLock { count in
            guard count < MonitoringListener.maxConnections else { return false }
            count += 1
            return true
        }
    }

    func release() { count.withLock { $0 -= 1 } }
}

/// Answers the first request on a connection, and closes it.
private final class MonitoringHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let monitor: CenterMonitor
    private var isAnswered = false

    init(_ monitor: CenterMonitor) { self.monitor = monitor }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data), !isAnswered else { return }
        isAnswered = true
        let path = String(head.uri.prefix { $0 != "?" })
        let isHeadOnly = head.method == .HEAD
        if let answer = monitor.immediateAnswer(to: head.method.rawValue, path) {
            return write(answer, isHeadOnly, context)
        }
        let (monitor, loop) = (monitor, context.eventLoop)
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        Task {
            let answer = await monitor.answer(to: path)
            loop.execute {
                let (handler, context) = bound.value
                handler.write(answer, isHeadOnly, context)
            }
        }
    }

    private func write(_ answer: MonitoringAnswer, _ isHeadOnly: Bool, _ context: ChannelHandlerContext) {
        monitor.counters.scrapes.add()
        let headers: HTTPHeaders = [
            "Content-Type": answer.mediaType, "Content-Length": "\(answer.body.utf8.count)", "Connection": "close",
            "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
        ]
        let head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHeadOnly { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil) }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
