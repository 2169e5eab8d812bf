// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB
import Synchronization

/// When each report's turn to be analysed comes, so that reporters take turns: a report comes one turn after the one before it of the
/// same reporter, and none comes before the turn that is being analysed. So however many wait of one, the first of another is next.
/// Names of one machine share their turns, and so do machines under one name (``ArrivingReport/holders``).
///
/// Who is ahead of the analysis by more than it does in half a second is held back, so that the analysis keeps up with whoever sends much:
/// others are not.
///
/// (Start-time fair queueing: P. Goyal, H. M. Vin, H. Cheng, "Start-time fair queueing", SIGCOMM 1996, with one price for all reports.)
final class ReportTurns: Sendable {
    private struct State {
        /// The turn that is being analysed; `nil`: it isn't known yet.
        var current: Int64?
        /// The last turn of each holder, where it is later than that.
        var last: [String: Int64] = [:]
        /// When that was said.
        var reachedAt: ContinuousClock.Instant?
        /// How many turns the analysis comes forward in a second, while reports wait; smoothed.
        var turnsPerSecond = 0.0
        /// How many of them there are when those that are over are next looked for.
        var lookAt = State.leastLook

        static let leastLook = 4096
    }

    private let state = Mutex(State())

    /// The turn of a report that comes in now.
    ///
    /// - Parameters:
    ///   - holders: in whose turns it is; it comes after all that any of them has.
    ///   - first: reads the least turn that waits: it is asked once, after a start.
    func next(of holders: [String], first: () throws -> Int64?) rethrows -> Int64 {
        try state.withLock { state in
            let current = try state.current ?? first() ?? 0
            state.current = current
            let turn = holders.reduce(current) { max($0, state.last[$1] ?? 0) } + 1
            for holder in holders { state.last[holder] = turn }
            if state.last.count >= state.lookAt {
                state.last = state.last.filter { $0.value > current }
                // Seldom enough that it costs each reporter little.
                state.lookAt = max(State.leastLook, 2 * state.last.count)
            }
            return turn
        }
    }

    /// The reports up to a turn are analysed.
    func reached(_ turn: Int64, now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            let turns = max(0, turn - (state.current ?? turn))
            state.current = max(state.current ?? 0, turn)
            // After a longer time than that nothing had waited.
            if let before = state.reachedAt, before < now, now - before < Self.maxStandstill {
                state.turnsPerSecond += Self.smoothing * (Double(turns) / ((now - before) / .seconds(1)) - state.turnsPerSecond)
            }
            state.reachedAt = now
        }
    }

    /// No turn before this one waits, by a store in which another center may do the analysis.
    func follow(_ turn: Int64) {
        state.withLock { $0.current = max($0.current ?? 0, turn - 1) }
    }

    /// Of the newest rate in the smoothed one.
    private static let smoothing = 0.2
    /// An analysis that has not come forward for so long holds nobody back.
    private static let maxStandstill = Duration.seconds(1)
    /// How far ahead of the analysis a reporter may be: by what it does in this time, in seconds, and by so many turns in any case.
    private static let maxLead = (seconds: 0.5, turns: 4.0)

    /// Whether a reporter has so many reports waiting that its next one waits before it is stored.
    func isAhead(_ holders: [String], now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { state in
            guard let current = state.current, let last = holders.compactMap({ state.last[$0] }).max(), let at = state.reachedAt,
                now - at < Self.maxStandstill
            else {
                return false
            }
            return Double(last - current) > max(Self.maxLead.turns, state.turnsPerSecond * Self.maxLead.seconds)
        }
    }

    /// Holders that are remembered.
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
