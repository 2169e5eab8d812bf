// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import NIOPosix
import SecureChannel

/// The beginning of a host's connection at a relay: which center it asks for, and the connection there. From then on it stands aside.
final class RelayHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case asking
        case connecting
        case open
        case ended
    }

    private let settings: RelaySettings
    private let places: RelayPlaces
    private let source: IPAddress?
    private var state = State.asking
    private var received = ByteBuffer()
    private var isReadAwaited = false
    private var timeout: Scheduled<Void>?

    init(_ settings: RelaySettings, _ places: RelayPlaces, source: IPAddress?) {
        (self.settings, self.places, self.source) = (settings, places, source)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timeout = context.eventLoop.scheduleTask(in: .seconds(RelayBounds.openingSeconds)) {
            let (handler, context) = bound.value
            if case .asking = handler.state { handler.refuse(.tooSlow, context) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timeout?.cancel()
        state = .ended
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .open = state { return context.fireErrorCaught(error) }
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Who has said all before the connection stands wants none.
        if case .open = state {} else if event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .open = state { return context.fireChannelRead(data) }
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        guard case .asking = state else {
            // More than a handshake's first message says, before anybody answered.
            if received.readableBytes > RelayBounds.buffered.high { context.close(promise: nil) }
            return
        }
        switch RelayRequest.read(received.readableBytesView, centers: settings.centers) {
        case .incomplete: break
        case .refused(let refusal): refuse(refusal, context)
        case .center(let center, let length):
            received.moveReaderIndex(forwardBy: length)
            connect(to: center, context)
        }
    }

    func read(context: ChannelHandlerContext) {
        if case .connecting = state { isReadAwaited = true } else { context.read() }
    }

    private func refuse(_ refusal: RelayRequest.Refusal, _ context: ChannelHandlerContext) {
        timeout?.cancel()
        state = .ended
        places.count { $0.refused[refusal.rawValue, default: 0] += 1 }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: refusal.answer))).whenComplete { _ in channel.close(promise: nil) }
    }

    private func connect(to center: CenterAddress, _ context: ChannelHandlerContext) {
        timeout?.cancel()
        state = .connecting
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let idle = settings.bounds.idleSeconds
        ClientBootstrap(group: context.eventLoop)
            .connectTimeout(.seconds(RelayBounds.openingSeconds))
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelOption(.writeBufferWaterMark, value: .init(low: RelayBounds.buffered.low, high: RelayBounds.buffered.high))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            // Nothing is read before there is somebody to take it.
            .channelOption(.autoRead, value: false)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(IdleStateHandler(allTimeout: .seconds(idle)))
                }
            }
            .connect(host: center.host, port: Int(center.port))
            .whenComplete { result in
                let (handler, context) = bound.value
                handler.connected(result, context)
            }
    }

    private func connected(_ result: Result<any Channel, any Error>, _ context: ChannelHandlerContext) {
        guard case .connecting = state else {
            // The host left meanwhile.
            if case .success(let channel) = result { channel.close(promise: nil) }
            return
        }
        guard case .success(let far) = result else { return refuse(.unreachable, context) }
        let (near, places) = (context.channel, places)
        var left = settings.bounds.connectionMegabytes << 20
        let ends = RelayEnd.pair { count, isFromHost in
            left -= count
            places.count {
                if isFromHost { $0.bytesUp += UInt64(count) } else { $0.bytesDown += UInt64(count) }
                if left < 0 { $0.ended += 1 }
            }
            return left >= 0
        }
        do {
            try far.pipeline.syncOperations.addHandlers([ends.1, RelayAge(places)])
            try context.pipeline.syncOperations.addHandler(ends.0, position: .after(self))
        } catch {
            far.close(promise: nil)
            return near.close(promise: nil)
        }
        places.count { $0.passed += 1 }
        if settings.tellsAddresses { far.write(ByteBuffer(bytes: header(of: near).encoded), promise: nil) }
        state = .open
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: RelayRequest.granted)), promise: nil)
        if received.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(received)) }
        received = ByteBuffer()
        far.flush()
        far.setOption(.autoRead, value: true).whenFailure { _ in far.close(promise: nil) }
        if isReadAwaited { context.read() }
    }

    private func header(of channel: any Channel) -> ProxyHeader {
        func end(_ address: SocketAddress?) -> ProxyHeader.End? {
            guard let address, let ip = address.ipAddress.flatMap({ IPAddress($0) }) else { return nil }
            return .init(address: ip.unmapped, port: UInt16(address.port ?? 0))
        }
        return ProxyHeader(source: end(channel.remoteAddress), destination: end(channel.localAddress))
    }
}

/// Ends a connection on which nothing was said for long, or that is old.
final class RelayAge: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let places: RelayPlaces
    private var end: Scheduled<Void>?

    init(_ places: RelayPlaces) { self.places = places }

    func handlerAdded(context: ChannelHandlerContext) {
        let (channel, places) = (context.channel, places)
        end = context.eventLoop.scheduleTask(in: .hours(RelayBounds.connectionHours)) {
            places.count { $0.ended += 1 }
            channel.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end?.cancel()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is IdleStateHandler.IdleStateEvent else { return context.fireUserInboundEventTriggered(event) }
        places.count { $0.ended += 1 }
        context.close(promise: nil)
    }
}
