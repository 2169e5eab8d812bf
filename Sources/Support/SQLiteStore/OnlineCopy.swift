// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import GRDB

/// A copy of a store that others go on to write.
extension SQLiteStore {
    /// Pages that are copied between two looks at whether to go on: 4 MB, some 10 ms.
    private static let pagesInCopyStep: CInt = 1024

    /// Copies the store as it is at one moment to another file, which is a store of its own then, without a log beside it.
    ///
    /// Nobody waits for it: the copy is of a snapshot, beside which others write. What they write meanwhile stays in the log, which
    /// grows by it, and is taken into the store's file at the end, again beside the writers.
    ///
    /// - Parameters:
    ///   - path: an empty file, or none. It isn't written through to the disk.
    ///   - progress: called between two steps with how many pages there are, and how many are copied; what it throws ends the copy.
    ///   - reading: reads from the same state of the store.
    /// - Returns: what was read.
    /// - Throws: what `describe` makes of a failure: ``SQLiteFailure/full`` is of the copy's disk; what the bodies throw.
    public func copy<Value: Sendable>(
        to path: String, progress: @escaping @Sendable (_ done: Int, _ total: Int) throws -> Void,
        reading: @escaping @Sendable (Database) throws -> Value
    ) async throws(EpitopeError) -> Value {
        let value = try await read { db in
            // The first look fixes the state that this transaction sees; a copy that began it itself would end it with each step, and
            // begin from its start with each commit of others.
            let value = try reading(db)
            var configuration = Configuration()
            configuration.label = "store-copy"
            let target = try DatabaseQueue(path: path, configuration: configuration)
            try target.writeWithoutTransaction { copy in
                try copy.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
                try db.backup(to: copy, pagesPerStep: Self.pagesInCopyStep) { step in
                    guard !step.isCompleted else { return }
                    try progress(step.completedPageCount, step.totalPageCount)
                }
                // The source says of itself that it has a log.
                try copy.execute(sql: "PRAGMA journal_mode = DELETE")
            }
            try target.close()
            return value
        }
        // What the log has gathered meanwhile; else the next commit would do it, and its writer wait.
        _ = try? await pool.writeWithoutTransaction { try $0.checkpoint(.passive) }
        return value
    }

    /// Looks through all of a store's file.
    ///
    /// - Returns: what is damaged; `nil`: nothing.
    public static func damage(in path: String) -> String? {
        do {
            var configuration = Configuration()
            configuration.label = "store-check"
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            let found = try queue.writeWithoutTransaction { try String.fetchAll($0, sql: "PRAGMA quick_check(3)") }
            try queue.close()
            return found == ["ok"] ? nil : found.joined(separator: "; ")
        } catch {
            return "\(SQLiteFailure(error))"
        }
    }
}
