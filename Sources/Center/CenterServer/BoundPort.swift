// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The port that a server came to listen on: told once, asked for at any time.
final class BoundPort: Sendable {
    private struct State {
        var result: Result<Int, any Error>?
        var waiting: [CheckedContinuation<Int, any Error>] = []
    }

    private let state = Mutex(State())

    var value: Int {
        get async throws {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock { state in
                    if state.result == nil { state.waiting.append(continuation) }
                    return state.result
                }
                if let result { continuation.resume(with: result) }
            }
        }
    }

    func succeed(_ port: Int) {
        settle(.success(port))
    }

    /// Has no effect once the port is known.
    func fail(_ error: any Error) {
        settle(.failure(error))
    }

    private func settle(_ result: Result<Int, any Error>) {
        let waiting = state.withLock { state in
            guard state.result == nil else { return [CheckedContinuation<Int, any Error>]() }
            state.result = result
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(with: result) }
    }
}
