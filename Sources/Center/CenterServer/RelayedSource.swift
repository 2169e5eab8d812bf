// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import SecureChannel

/// Takes the header from the beginning of a connection by which a relay tells whose it is. Only connections from the relays that the
/// settings name have it before them, and of these none is served without: an address that nobody told would be the relay's for all its
/// hosts.
final class RelayedSource: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let places: ConnectionPlaces
    private var received: ByteBuffer? = ByteBuffer()

    init(_ places: ConnectionPlaces) { self.places = places }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard var received else { return context.fireChannelRead(data) }
        var bytes = unwrapInboundIn(data)
        received.writeBuffer(&bytes)
        switch ProxyHeader.read(received.readableBytesView) {
        case .incomplete: self.received = received
        case .malformed:
            self.received = ByteBuffer()
            places.untold(context.channel)
        case .header(let header, let length):
            self.received = nil
            // The relay's own look at whether the center is there.
            if let source = header.source { places.told(context.channel, source: source.address) }
            received.moveReaderIndex(forwardBy: length)
            if received.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(received)) }
        }
    }
}
