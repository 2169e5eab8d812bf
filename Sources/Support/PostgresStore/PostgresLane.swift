// SPDX-License-Identifier: Apache-2.0

import Scheduling
import Synchronization

/// One connection, opened when it is needed and again after it broke, and the thread that waits for it.
final class PostgresLane: Sendable {
    /// It is used within its lane's lock alone.
    private struct Held: @unchecked Sendable {
        var connection: PostgresConnection?
    }

    private let queue: BlockingQueue
    private let held = Mutex(Held())
    private let open: @Sendable () throws(PostgresFailure) -> PostgresConnection

    init(label: String, open: @escaping @Sendable () throws(PostgresFailure) -> PostgresConnection) {
        queue = BlockingQueue(label: label)
        self.open = open
    }

    /// Runs work on the connection, after the work before it.
    func run<Value: Sendable>(_ body: @escaping @Sendable (PostgresConnection) throws -> Value) async throws -> Value {
        try await queue.run { [self] () throws(any Error) in try perform(body) }
    }

    /// The same for a caller that has a thread to wait on.
    ///
    /// A connection that was there before may have broken since, or its server become a standby: then the work is begun again on a
    /// new one. What it had done was rolled back, unless it says that it doesn't know.
    func perform<Value: Sendable>(_ body: (PostgresConnection) throws -> Value) throws -> Value {
        try held.withLock { held in
            if let connection = held.connection, !connection.isBroken {
                do {
                    return try body(connection)
                } catch let failure as PostgresFailure where failure.needsAnotherConnection {
                    connection.close()
                }
            }
            held.connection = nil
            let connection = try open()
            held.connection = connection
            return try body(connection)
        }
    }

    func close() {
        held.withLock { held in
            held.connection?.close()
            held.connection = nil
        }
    }
}

/// Lanes for work that any of them can do: each does one piece at a time, and who finds none free waits.
final class PostgresLanes: Sendable {
    private struct State {
        var free: [PostgresLane]
        var waiting: [CheckedContinuation<PostgresLane, Never>] = []
    }

    private let all: [PostgresLane]
    private let state: Mutex<State>

    init(_ lanes: [PostgresLane]) {
        all = lanes
        // The last one that was used is used again: an idle store keeps one connection.
        state = Mutex(State(free: lanes))
    }

    func run<Value: Sendable>(_ body: @escaping @Sendable (PostgresConnection) throws -> Value) async throws -> Value {
        let lane = await withCheckedContinuation { continuation in
            let free = state.withLock { state in
                let free = state.free.popLast()
                if free == nil { state.waiting.append(continuation) }
                return free
            }
            if let free { continuation.resume(returning: free) }
        }
        defer { giveBack(lane) }
        return try await lane.run(body)
    }

    private func giveBack(_ lane: PostgresLane) {
        let next = state.withLock { state -> CheckedContinuation<PostgresLane, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.free.append(lane)
            return nil
        }
        next?.resume(returning: lane)
    }

    func close() { for lane in all { lane.close() } }
}
