// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// One of the two ends of a connection that a relay passes on. What comes at one goes to the other, as it is, and is read only as fast as
/// the other takes it. Both are on one event loop.
final class RelayEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var partner: RelayEnd?
    private var context: ChannelHandlerContext?
    private var isReadAwaited = false
    private let carried: (Int) -> Bool

    /// - Parameter carried: is told how many bytes came; whether the connection may go on.
    private init(carried: @escaping (Int) -> Bool) { self.carried = carried }

    /// Two ends of one connection.
    ///
    /// - Parameter carried: is told how many bytes came, and whether from the first end; whether the connection may go on.
    static func pair(carried: @escaping (_ count: Int, _ isFirst: Bool) -> Bool) -> (RelayEnd, RelayEnd) {
        let (first, second) = (RelayEnd { carried($0, true) }, RelayEnd { carried($0, false) })
        (first.partner, second.partner) = (second, first)
        return (first, second)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        partner = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        guard carried(bytes.readableBytes) else {
            partner?.end()
            return context.close(promise: nil)
        }
        partner?.write(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        partner?.context?.flush()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        partner?.end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        partner?.end()
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // One side has said all: the other may go on.
        if event as? ChannelEvent == .inputClosed {
            partner?.context?.close(mode: .output, promise: nil)
            // Nobody would tell that it has gone altogether.
            let channel = context.channel
            context.eventLoop.scheduleTask(in: .seconds(RelayBounds.halfClosedSeconds)) { channel.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.readAwaited() }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if let partner, partner.isWritable { context.read() } else { isReadAwaited = true }
    }

    private var isWritable: Bool { context?.channel.isWritable ?? false }

    private func write(_ bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }

    private func end() {
        // What was written is sent before.
        guard let context else { return }
        context.flush()
        context.close(promise: nil)
    }

    private func readAwaited() {
        guard isReadAwaited else { return }
        isReadAwaited = false
        context?.read()
    }
}
