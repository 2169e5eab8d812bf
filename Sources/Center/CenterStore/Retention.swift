// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import GRDB
internal import Novelty

extension CenterStore {
    /// Removes what is older than the days that packets are kept: analysed packets that nothing waits for, their
    /// events, clusters that nothing refers to any more, uses of quotas beyond their day. What waits is never removed.
    ///
    /// A packet that is sent again after that counts as new: ids are remembered as long as packets are.
    ///
    /// - Returns: how many packets.
    @discardableResult
    public func prune(olderThanDays days: Int) async throws(EpitopeError) -> Int {
        let clock = clock
        return try await write { db in
            let now = clock.nowMilliseconds
            let cutoff = now - Int64(max(1, min(days, 36500))) * DailyQuota.windowMilliseconds
            try db.execute(
                sql: """
                    DELETE FROM reports WHERE received_ms < ? AND state <> 'stored' AND NOT EXISTS (
                      SELECT 1 FROM forwards WHERE report_seq = reports.seq AND state IN ('pending', 'waiting-quota'))
                    """,
                arguments: [cutoff])
            let pruned = db.changesCount
            try db.execute(sql: "DELETE FROM evidence WHERE time_ms < ?", arguments: [cutoff])
            try db.execute(sql: "DELETE FROM events WHERE time_ms < ?", arguments: [cutoff])
            try db.execute(
                sql: """
                    DELETE FROM clusters WHERE created_ms < ?
                      AND NOT EXISTS (SELECT 1 FROM reports WHERE cluster_id = clusters.id)
                      AND NOT EXISTS (SELECT 1 FROM evidence WHERE cluster_id = clusters.id)
                      AND NOT EXISTS (SELECT 1 FROM updates WHERE cluster_id = clusters.id AND state = 'proven')
                    """,
                arguments: [cutoff])
            try db.execute(
                sql: """
                    DELETE FROM quota_uses WHERE time_ms < ? AND subject NOT IN (
                      SELECT 'delivery ' || id FROM deliveries WHERE state = 'pending'
                      UNION ALL SELECT 'forward ' || id FROM forwards WHERE state = 'pending')
                    """,
                arguments: [now - 2 * DailyQuota.windowMilliseconds])
            if pruned > 0 {
                try db.record(.pruned, "packets", "\(pruned) older than \(days) days", at: clock.preciseMilliseconds())
            }
            return pruned
        }
    }
}
