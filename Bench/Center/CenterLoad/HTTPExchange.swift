// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOSSL
import NIOTLS

/// HTTP/1.1 as far as a load generator needs it.
enum HTTPRequest {
    /// The head of a request, with a line for each further header.
    static func head(method: String, path: String, type: String? = nil, length: Int, headers: [String] = []) -> [UInt8] {
        var lines = ["\(method) \(path) HTTP/1.1", "host: center", "content-length: \(length)"]
        if let type { lines.append("content-type: \(type)") }
        return Array((lines + headers).map { $0 + "\r\n" }.joined().utf8) + Array("\r\n".utf8)
    }
}

/// An answer: its status, and its body as far as the generator looks at it.
struct Answer: Sendable {
    var status: Int
    var body: [UInt8]

    /// Whether the message is to be sent again later: the center can't take it now.
    var isToldToWait: Bool {
        guard status != 429, status != 503, status != 507 else { return true }
        let text = String(decoding: body, as: UTF8.self)
        return ["\"store-busy\"", "\"sender-busy\"", "\"sender-over-share\"", "\"disk-full\"", "\"store-failed\""].contains {
            text.contains($0)
        }
    }
}

/// What one connection says, request by request. Called on the connection's event loop.
protocol ConnectionScript: AnyObject {
    /// How long to wait before the request that ``next(allocator:)`` gave is sent.
    var wait: Duration { get }
    /// The next request; `nil`: the connection is done and closed.
    func next(allocator: ByteBufferAllocator) -> ByteBuffer?
    func answered(_ answer: Answer, after: Duration)
    /// The connection ended, or didn't answer in time, with a request under way (or before the first).
    func failed(_ reason: String)
}

extension ConnectionScript {
    var wait: Duration { .zero }
}

/// Carries out a script on one connection: one request at a time.
final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// As long as a host waits for an answer (CenterTransport).
    private static let answerTimeout = TimeAmount.seconds(30)

    private let script: any ConnectionScript
    private var received = ByteBuffer()
    private var sentAt: ContinuousClock.Instant?
    private var timeout: Scheduled<Void>?
    private var isDone = false

    init(_ script: any ConnectionScript) {
        self.script = script
    }

    func channelActive(context: ChannelHandlerContext) {
        awaitAnswer(context)
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { sendNext(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        received.writeBuffer(&part)
        guard let answer = Self.takeAnswer(&received) else { return }
        received.discardReadBytes()
        timeout?.cancel()
        if let sentAt { script.answered(answer, after: ContinuousClock.now - sentAt) }
        sendNext(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(context, "the connection was closed")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(context, "\(error)")
        context.close(promise: nil)
    }

    private func sendNext(_ context: ChannelHandlerContext) {
        guard !isDone else { return }
        guard let request = script.next(allocator: context.channel.allocator) else {
            isDone = true
            context.close(promise: nil)
            return
        }
        guard script.wait > .zero else { return send(request, context) }
        timeout?.cancel()
        let bound = NIOLoopBound((self, context, request), eventLoop: context.eventLoop)
        timeout = context.eventLoop.scheduleTask(in: TimeAmount(script.wait)) {
            let (handler, context, request) = bound.value
            handler.send(request, context)
        }
    }

    private func send(_ request: ByteBuffer, _ context: ChannelHandlerContext) {
        sentAt = .now
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
        awaitAnswer(context)
    }

    private func awaitAnswer(_ context: ChannelHandlerContext) {
        timeout?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timeout = context.eventLoop.scheduleTask(in: Self.answerTimeout) {
            let (handler, context) = bound.value
            handler.end(context, "no answer in 30 seconds")
            context.close(promise: nil)
        }
    }

    private func end(_ context: ChannelHandlerContext, _ reason: String) {
        timeout?.cancel()
        guard !isDone else { return }
        isDone = true
        script.failed(reason)
    }

    /// Takes one answer with a content length out of what was received; `nil`: it isn't whole yet.
    static func takeAnswer(_ buffer: inout ByteBuffer) -> Answer? {
        let view = buffer.readableBytesView
        guard let end = headEnd(view) else { return nil }
        let head = String(decoding: view[view.startIndex..<end], as: UTF8.self)
        let words = head.prefix(64).split(separator: " ", maxSplits: 2)
        var length = 0
        for line in head.split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == "content-length" else { continue }
            length = Int(line[line.index(after: colon)...].drop { $0 == " " }) ?? 0
        }
        let headBytes = end - view.startIndex + 4
        guard buffer.readableBytes >= headBytes + length, words.count > 1, let status = Int(words[1]) else { return nil }
        buffer.moveReaderIndex(forwardBy: headBytes)
        return Answer(status: status, body: buffer.readBytes(length: length) ?? [])
    }

    /// Where the empty line begins.
    private static func headEnd(_ view: ByteBufferView) -> Int? {
        var place = view.startIndex
        while place + 3 < view.endIndex {
            if view[place] == 13, view[place + 1] == 10, view[place + 2] == 13, view[place + 3] == 10 { return place }
            place += 1
        }
        return nil
    }
}
