// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import NIOPosix
import NIOSSL
import Notifications

/// Notices to a syslog server (RFC 5424) by UDP (RFC 5426), TCP (RFC 6587, octet counting) or TLS (RFC 5425).
///
/// Syslog has no receipt. Over a stream each batch is a connection of its own that is closed in order: what the server had not read is
/// answered by a reset, and sent again with the same ids. Only the server's own end says that it has read everything; one that does not
/// end its side within ``farewell`` is held to have what its kernel has acknowledged.
final class SyslogTransport: NoticeTransport {
    private let settings: DestinationSettings
    private let address: HostAndPort
    private let sender: NoticeSender

    /// How long a server may take to end its side of a connection.
    static let farewell = Duration.seconds(3)

    let batch = 100

    init(_ settings: DestinationSettings, to address: HostAndPort, sender: NoticeSender) {
        self.settings = settings
        self.address = address
        self.sender = sender
    }

    private var place: String { "syslog at \(address)" }

    func send(_ notices: [Notice]) async throws(EpitopeError) -> DeliveryOutcome {
        let messages = notices.map {
            SyslogMessage.bytes($0, from: sender, as: settings.format == .cef ? .cef : .structured, facility: settings.facility)
        }
        let tls = settings.transport == .tls ? try TLSTrust.configuration(settings.authorityFile) : nil
        let limit = Duration.seconds(settings.timeoutSeconds)
        let (transport, address, seconds) = (settings.transport, address, Int64(settings.timeoutSeconds))
        do {
            let isDone = try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    if transport == .udp {
                        try await Self.sendDatagrams(messages, to: address)
                    } else {
                        try await Self.sendStream(messages.flatMap(SyslogMessage.counted), to: address, tls, atMost: .seconds(seconds))
                    }
                    return true
                }
                group.addTask {
                    try await Task.sleep(for: limit)
                    return false
                }
                defer { group.cancelAll() }
                return try await group.next() ?? false
            }
            guard isDone else { throw DeliveryFailure.timeout(place, settings.timeoutSeconds) }
            let receipt = transport == .udp ? "sent; by UDP nobody says whether it came" : "taken"
            return DeliveryOutcome(answer: receipt)
        } catch let error as EpitopeError {
            throw error
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: any Error) -> EpitopeError {
        switch error {
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: DeliveryFailure.untrusted(place, excerpt("\(error)".utf8))
        default: DeliveryFailure.unreachable(place, excerpt("\(error)".utf8))
        }
    }

    private static func sendDatagrams(_ messages: [[UInt8]], to address: HostAndPort) async throws {
        let remote = try await resolve(address)
        let channel = try await DatagramBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(to: remote).get()
        do {
            for message in messages { try await channel.writeAndFlush(ByteBuffer(bytes: message)).get() }
        } catch {
            try? await channel.close().get()
            throw error
        }
        try? await channel.close().get()
    }

    private static func resolve(_ address: HostAndPort) async throws -> SocketAddress {
        try await NIOThreadPool.singleton.runIfActive { try SocketAddress.makeAddressResolvingHost(address.host, port: address.port) }
    }

    private static func sendStream(_ bytes: [UInt8], to address: HostAndPort, _ tls: TLSConfiguration?, atMost limit: TimeAmount)
        async throws
    {
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        let end = StreamEnd()
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.allowRemoteHalfClosure, value: tls == nil)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        let name = IPAddress(address.host) == nil ? address.host : nil
                        try channel.pipeline.syncOperations.addHandler(try NIOSSLClientHandler(context: context, serverHostname: name))
                    }
                    try channel.pipeline.syncOperations.addHandler(StreamEndHandler(end: end))
                }
            }
            .connectTimeout(limit)
            .connect(host: address.host, port: address.port).get()
        try await withTaskCancellationHandler {
            do {
                try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
                if tls == nil {
                    // It can't have read what it had no time for.
                    guard !end.isOver else { throw end.failure ?? ChannelError.eof }
                    try await channel.close(mode: .output).get()
                    try await end.wait(atMost: farewell)
                    try? await channel.close().get()
                } else {
                    // close_notify, and the server's own.
                    try await channel.close().get()
                    try end.check()
                }
            } catch is NIOSSLCloseTimedOutError {
                // It has not ended its side.
            } catch NIOSSLError.uncleanShutdown {
                // It ended its side without saying so by TLS. What was cut off would be a reset.
            } catch {
                try? await channel.close().get()
                throw end.failure ?? error
            }
        } onCancel: {
            channel.close(promise: nil)
        }
    }
}
