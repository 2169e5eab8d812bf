// SPDX-License-Identifier: Apache-2.0

internal import GRDB
internal import Novelty

/// The uses of the quotas, each under the subject that it was taken for: taking it again, after a restart, is free.
struct QuotaUsage {
    let db: Database
    let limits: QuotaLimits
    let nowMilliseconds: Int64

    /// Takes a use, or says `false` when there is none left.
    func take(_ kind: QuotaKind, for subject: String) throws -> Bool {
        if try isTaken(kind, for: subject) { return true }
        guard try use(of: kind).left > 0 else { return false }
        try db.execute(
            sql: "INSERT INTO quota_uses (quota, subject, time_ms) VALUES (?, ?, ?)",
            arguments: [kind.rawValue, subject, nowMilliseconds])
        return true
    }

    func isTaken(_ kind: QuotaKind, for subject: String) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM quota_uses WHERE quota = ? AND subject = ?)",
            arguments: [kind.rawValue, subject]) ?? false
    }

    /// Gives back the use of something that was refused or replaced before it went out.
    func giveBack(_ kind: QuotaKind, for subject: String) throws {
        try db.execute(
            sql: "DELETE FROM quota_uses WHERE quota = ? AND subject = ?", arguments: [kind.rawValue, subject])
    }

    func use(of kind: QuotaKind) throws -> QuotaUse {
        let times = try Int64.fetchAll(
            db, sql: "SELECT time_ms FROM quota_uses WHERE quota = ? AND time_ms > ?",
            arguments: [kind.rawValue, nowMilliseconds - DailyQuota.windowMilliseconds])
        let quota = DailyQuota(limit: limits.limit(of: kind))
        let left = quota.remaining(uses: times, nowMilliseconds: nowMilliseconds)
        return QuotaUse(
            limit: quota.limit, left: left,
            reopensMilliseconds: left > 0 ? nil : quota.nextAllowed(uses: times, nowMilliseconds: nowMilliseconds))
    }
}
