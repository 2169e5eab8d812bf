// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOTLS

/// Without TLS there is no handshake to wait for: says at once that it is done.
final class PlainStart: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        context.fireUserInboundEventTriggered(TLSUserEvent.handshakeCompleted(negotiatedProtocol: nil))
    }
}
