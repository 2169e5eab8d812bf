// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// How the other side of a connection ended.
final class StreamEnd: Sendable {
    private struct State {
        var isOver = false
        var failure: (any Error)?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// What broke the connection, if something did.
    var failure: (any Error)? { state.withLock { $0.failure } }

    /// Whether the other side has ended.
    var isOver: Bool { state.withLock { $0.isOver } }

    func over(_ failure: (any Error)? = nil) {
        let waiter = state.withLock { state in
            state.isOver = true
            if state.failure == nil { state.failure = failure }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// - Throws: what broke the connection.
    func check() throws { if let failure { throw failure } }

    /// Returns when the other side has ended, or after a time.
    ///
    /// - Throws: what broke the connection.
    func wait(atMost limit: Duration) async throws {
        let timer = Task {
            try? await Task.sleep(for: limit)
            self.over()
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if !state.isOver { state.waiter = continuation }
                    return state.isOver
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            over(CancellationError())
        }
        try check()
    }
}

/// Tells of a connection's end; what the other side says is dropped.
final class StreamEndHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let end: StreamEnd

    init(end: StreamEnd) { self.end = end }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func channelInactive(context: ChannelHandlerContext) {
        end.over()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { end.over() }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end.over(error)
        context.close(promise: nil)
    }
}
