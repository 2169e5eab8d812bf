// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB
import Synchronization

/// When each report's turn to be analysed comes, so that reporters take turns: a report comes one turn after the one before it of the
/// same reporter, and none comes before the turn that is being analysed. So however many wait of one, the first of another is next.
///
/// (Start-time fair queueing: P. Goyal, H. M. Vin, H. Cheng, "Start-time fair queueing", SIGCOMM 1996, with one price for all reports.)
final class ReportTurns: Sendable {
    private struct State {
        /// The turn that is being analysed; `nil`: it isn't known yet.
        var current: Int64?
        /// The last turn of each reporter, where it is later than that.
        var last: [String: Int64] = [:]
        /// How many of them there are when those that are over are next looked for.
        var lookAt = State.leastLook

        static let leastLook = 4096
    }

    private let state = Mutex(State())

    /// The turn of a report that comes in now.
    ///
    /// - Parameter first: reads the least turn that waits: it is asked once, after a start.
    func next(of reporter: String, first: () throws -> Int64?) rethrows -> Int64 {
        try state.withLock { state in
            let current = try state.current ?? first() ?? 0
            state.current = current
            let turn = max(current, state.last[reporter] ?? 0) + 1
            state.last[reporter] = turn
            if state.last.count >= state.lookAt {
                state.last = state.last.filter { $0.value > current }
                // Seldom enough that it costs each reporter little.
                state.lookAt = max(State.leastLook, 2 * state.last.count)
            }
            return turn
        }
    }

    /// The reports up to a turn are analysed.
    func reached(_ turn: Int64) {
        state.withLock { state in state.current = max(state.current ?? 0, turn) }
    }

    /// Reporters that are remembered.
    var count: Int { state.withLock { $0.last.count } }
}

extension CenterStore {
    /// Notes which turn is being analysed: reports that come in have theirs after it.
    ///
    /// - Parameter reports: those that are, in their order (``StoreTransaction/waitingReports(limit:)``).
    public func began(_ reports: [StoredReport]) {
        if let last = reports.last { turns.reached(last.turn) }
    }
}

extension StoreTransaction {
    /// The turn of the report that is next.
    func leastTurn() throws -> Int64? {
        try Int64.fetchOne(db, sql: "SELECT turn FROM waiting_reports ORDER BY turn LIMIT 1")
    }
}
