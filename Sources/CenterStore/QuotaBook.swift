internal import GRDB

/// The uses of the quotas, each under the subject that it was taken for: taking it again, after a restart, is free.
struct QuotaBook {
    static let dayMilliseconds: Int64 = 24 * 60 * 60 * 1000

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
        // A use in the future (the clock was set back since) counts: a clock step must not open the quota.
        let times = try Int64.fetchAll(
            db, sql: "SELECT time_ms FROM quota_uses WHERE quota = ? AND time_ms > ? ORDER BY time_ms",
            arguments: [kind.rawValue, nowMilliseconds - Self.dayMilliseconds])
        let limit = limits.limit(of: kind)
        // With more uses than the limit (it was lowered since), one use must remain below it.
        let freeing = times.count > limit && limit > 0 ? times[times.count - limit] : times.first
        return QuotaUse(limit: limit, used: times.count, reopensMilliseconds: freeing.map { $0 + Self.dayMilliseconds })
    }
}
