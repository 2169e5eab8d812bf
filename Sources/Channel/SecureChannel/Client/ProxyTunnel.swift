// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import NIOCore

/// Opens a connection through a proxy, before what stands behind it in the pipeline learns that it is open.
final class ProxyTunnel: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The proxy did not let the connection through.
    struct Refusal: Error, CustomStringConvertible {
        var description: String
    }

    private let request: String
    private var answer = ByteBuffer()
    private var isOpen = false
    /// Of a proxy's answer, in bytes.
    private static let maxAnswer = 16_384

    init(to center: CenterAddress, by proxy: CenterProxy) {
        let target = center.description.dropFirst("https://".count)
        let login = proxy.login.map { "proxy-authorization: Basic \(Base64.encode("\($0.user):\($0.password)"))\r\n" } ?? ""
        request = "CONNECT \(target) HTTP/1.1\r\nhost: \(target)\r\n\(login)\r\n"
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOpen else { return context.fireChannelRead(data) }
        var piece = unwrapInboundIn(data)
        answer.writeBuffer(&piece)
        let bytes = answer.readableBytesView
        let end: [UInt8] = [13, 10, 13, 10]
        guard let head = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else {
            if answer.readableBytes > Self.maxAnswer { refuse("it does not answer as a proxy does", context) }
            return
        }
        let line = String(decoding: bytes[..<head].prefix { $0 != 13 }, as: UTF8.self)
        let words = line.split(separator: " ")
        guard line.hasPrefix("HTTP/1."), words.count > 1, words[1].count == 3, words[1].hasPrefix("2") else {
            return refuse("it answered: \(line.prefix(80))", context)
        }
        isOpen = true
        context.fireChannelActive()
        answer.moveReaderIndex(forwardBy: head - bytes.startIndex + end.count)
        if answer.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(answer)) }
    }

    typealias InboundOut = ByteBuffer

    private func refuse(_ reason: String, _ context: ChannelHandlerContext) {
        context.fireErrorCaught(Refusal(description: reason))
        context.close(promise: nil)
    }
}

/// RFC 4648, 4.
enum Base64 {
    static func encode(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
}
