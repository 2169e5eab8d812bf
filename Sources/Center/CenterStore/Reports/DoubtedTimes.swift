// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Novelty
import Scheduling

/// What came in while the center's clock was in doubt (``ClockBelief``): its times are those that were taken for right then, and may be
/// wrong by weeks. By them nothing is old.
///
/// A center that was off for a month goes on with the time of its last event, for an hour. What it acknowledged in that hour would be
/// removed as a month old once it knows better.
struct DoubtedTimes: Hashable, Codable {
    /// The last ones from before: the doubt began after them.
    var before: LastNumbers
    /// The latest time that was taken for right while it was in doubt, in milliseconds since 1970.
    var latestMilliseconds: Int64
    /// Once the doubt is over: the last report of it, and until when such reports are kept.
    var lastReport: Int64?
    var keptUntilMilliseconds: Int64?
}

/// The numbers of the last report and the last update.
struct LastNumbers: Hashable, Sendable, Codable {
    var report: Int64
    var update: Int64
}

extension CenterStore {
    /// Looks whether times are in doubt now: then nothing may be removed or end by its age. Notes what comes in meanwhile, and puts it
    /// right once the clock is believed. Where nothing is in doubt, nothing is written.
    ///
    /// - Parameter days: how long reports are kept.
    func areTimesDoubted(keepingDays days: Int) async throws(EpitopeError) -> Bool {
        let (isDoubtful, settled) = (clock.isDoubtful(), settled)
        let (known, last) = try await snapshot { (try $0.doubtedTimes(), try $0.lastNumbers()) }
        if isDoubtful {
            let before = settled.current ?? last
            try await transaction { transaction in
                try transaction.setDoubtedTimes(
                    DoubtedTimes(before: known?.before ?? before, latestMilliseconds: transaction.nowMilliseconds))
            }
            return true
        }
        if let known { try await transaction { try $0.settle(known, keepingDays: days) } }
        settled.current = last
        return false
    }
}

extension StoreTransaction {
    func doubtedTimes() throws -> DoubtedTimes? {
        try mark(.doubtedTimes).flatMap { try? RowCoding.value(DoubtedTimes.self, $0) }
    }

    fileprivate func setDoubtedTimes(_ doubted: DoubtedTimes) throws { try setMark(.doubtedTimes, try RowCoding.json(doubted)) }

    fileprivate func lastNumbers() throws -> LastNumbers {
        LastNumbers(
            report: try Int64.fetchOne(db, sql: "SELECT max(seq) FROM reports") ?? 0,
            update: try Int64.fetchOne(db, sql: "SELECT max(id) FROM updates") ?? 0)
    }

    /// Puts right what was stored with times that were not: rules live as long as they were to, no quota is used in the future, and
    /// reports are kept for as long as others.
    fileprivate func settle(_ doubted: DoubtedTimes, keepingDays days: Int) throws {
        if let until = doubted.keptUntilMilliseconds {
            if until <= nowMilliseconds { try removeMark(.doubtedTimes) }
            return
        }
        let missed = nowMilliseconds - doubted.latestMilliseconds
        if missed > 0 {
            try db.execute(
                sql: "UPDATE updates SET created_ms = created_ms + ?1, expires_ms = expires_ms + ?1 WHERE id > ?2",
                arguments: [missed, doubted.before.update])
        } else {
            try db.execute(sql: "UPDATE quota_uses SET time_ms = ?1 WHERE time_ms > ?1", arguments: [nowMilliseconds])
            try db.execute(sql: "UPDATE reports SET received_ms = ?1 WHERE received_ms > ?1", arguments: [nowMilliseconds])
        }
        var settled = doubted
        settled.lastReport = try lastNumbers().report
        settled.keptUntilMilliseconds = nowMilliseconds + Int64(days) * DailyQuota.windowMilliseconds
        try setDoubtedTimes(settled)
    }
}
