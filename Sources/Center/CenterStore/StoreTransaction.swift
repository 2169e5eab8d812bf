// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB

/// One transaction on the store: it reads and writes rows, and decides nothing.
///
/// All that was written in it is on the disk when ``CenterStore/transaction(_:)`` returns; after an error nothing of
/// it is. What a method throws may be passed on: the store translates it (``CenterStore``).
public struct StoreTransaction {
    let db: StoreConnection
    let clock: CenterClock
    /// In whose name it is done.
    var actor = AuditActor.center
    /// Counted once the transaction is on the disk.
    let tally = StoreTally()

    /// The center's clock, in milliseconds since 1970-01-01T00:00:00Z.
    public var nowMilliseconds: Int64 { clock.nowMilliseconds }

    /// Adds an event to the trail of steps, and to the audit log what belongs there (``CenterEvent/Step/isAudited``).
    ///
    /// - Parameters:
    ///   - subject: the id of the report, or of the signature where the step concerns an update.
    ///   - actor: who did it; `nil`: in whose name the transaction is made.
    public func record(_ step: CenterEvent.Step, _ subject: String, _ detail: String, by actor: AuditActor? = nil) throws {
        let insert = try db.cachedStatement(sql: "INSERT INTO events (time_ms, step, subject, detail) VALUES (?, ?, ?, ?)")
        try insert.execute(arguments: [clock.preciseMilliseconds(), step.rawValue, subject, detail])
        tally.counts.events[step, default: 0] += 1
        if step.isAudited { try audit(step, subject, detail, by: actor ?? self.actor) }
    }
}

/// A value that lies in the store as a word: SQL text takes the word from the enum, so that the two can't differ.
///
/// It is written into the text and not bound as an argument because SQLite uses a partial index (`WHERE state =
/// 'stored'`) only for a constant.
protocol StoredWord: RawRepresentable<String> {}

extension StoredWord {
    /// The word as an SQL constant.
    var sql: String { "'\(rawValue)'" }
}

extension Array where Element: StoredWord {
    /// The words as an SQL list.
    var sql: String { "(" + map(\.sql).joined(separator: ", ") + ")" }
}
