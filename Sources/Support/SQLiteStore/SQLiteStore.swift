// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
public import GRDB
import Glibc

/// A durable store in one SQLite file, with its schema. It is in WAL mode with `synchronous=FULL`: a commit is on the disk when
/// it returns. Several processes may have it open at once.
public struct SQLiteStore: Sendable {
    /// How a store is opened.
    public struct Settings: Sendable {
        /// The name of the store's threads.
        public var label: String
        /// How many reads may run at once.
        public var maxReaders = 5
        /// How long a statement waits for another process's lock, in seconds.
        public var busySeconds = 10.0
        /// How large the file may become, in bytes, rounded down to whole pages; `nil`: as large as the disk has room.
        public var maxBytes: Int64?
        /// Pages of the file that the writer keeps in memory, in bytes; `nil`: SQLite's default, some 2 MB.
        public var writerCacheBytes: Int?
        /// After how many pages the log is written into the file; `nil`: SQLite's default, 1000. With more, pages that many commits
        /// change are written there once instead of again and again.
        public var checkpointPages: Int?
        /// Whether the file is kept from others in any case: a symbolic link in its place is refused, its rights are set back to
        /// 0600 each time that it is opened, and what is deleted is overwritten.
        public var isPrivate = false
        /// Whether the file can be shortened later (``SQLiteStore/giveBackRoom(keeping:)``): settled when it is made.
        public var isShrinkable = false
        /// Thrown where the schema is not up to date, instead of changing it; `nil`: it is brought up to date.
        public var outdated: EpitopeError?

        public init(label: String) {
            self.label = label
        }
    }

    public let path: String
    /// For what ``read(_:)`` and ``write(_:)`` don't offer.
    public let pool: DatabasePool
    private let describe: @Sendable (SQLiteFailure, _ path: String) -> EpitopeError

    /// Opens a store, or makes it where there is none: its file with mode 0600, missing folders above it with 0700.
    ///
    /// - Parameters:
    ///   - migrator: brings the schema up to date.
    ///   - describe: turns failures into the store's own errors.
    /// - Throws: what `describe` makes of the failure.
    public init(
        path: String, _ settings: Settings, migrator: DatabaseMigrator,
        describe: @escaping @Sendable (SQLiteFailure, _ path: String) -> EpitopeError
    ) throws(EpitopeError) {
        self.path = path
        self.describe = describe
        do {
            try Self.prepareFile(path, isPrivate: settings.isPrivate)
            pool = try DatabasePool(path: path, configuration: Self.configuration(settings))
            try pool.writeWithoutTransaction { db in
                // DatabasePool chooses NORMAL as it opens, with which a power cut loses commits that have returned.
                try db.execute(sql: "PRAGMA synchronous = FULL")
                if let cache = settings.writerCacheBytes { try db.execute(sql: "PRAGMA cache_size = -\(max(1, cache / 1024))") }
                if let pages = settings.checkpointPages {
                    _ = try Int.fetchOne(db, sql: "PRAGMA wal_autocheckpoint = \(max(1, pages))")
                    // What grew beyond that behind a reader is given back when it is begun anew.
                    if let usual = try Self.usualLogBytes(db) { _ = try Int.fetchOne(db, sql: "PRAGMA journal_size_limit = \(usual)") }
                }
                if let maxBytes = settings.maxBytes {
                    let pageSize = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
                    _ = try Int64.fetchOne(db, sql: "PRAGMA max_page_count = \(max(1, maxBytes / pageSize))")
                }
            }
            if let outdated = settings.outdated, try pool.read(migrator.hasCompletedMigrations) == false { throw outdated }
            try Self.migrate(pool, migrator)
        } catch {
            throw Self.error(error, path, describe)
        }
    }

    /// How often a step that another program made meanwhile is looked at again.
    private static let maxMigrations = 8

    /// Brings the schema up to date. A step fails where another program that opened the file at the same time has made it: it is
    /// there now, and the next look finds it.
    private static func migrate(_ pool: DatabasePool, _ migrator: DatabaseMigrator) throws {
        for _ in 1..<maxMigrations {
            do {
                return try migrator.migrate(pool)
            } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR || error.resultCode == .SQLITE_CONSTRAINT {
                continue
            }
        }
        try migrator.migrate(pool)
    }

    private static func configuration(_ settings: Settings) -> Configuration {
        var configuration = Configuration()
        configuration.busyMode = .timeout(settings.busySeconds)
        configuration.label = settings.label
        configuration.maximumReaderCount = settings.maxReaders
        if settings.isPrivate {
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON")
            }
        }
        if settings.isShrinkable {
            configuration.prepareDatabase { db in
                // It is settled when the file is made. Later the pragma would write to it, for which a full disk has no room.
                guard !db.configuration.readonly, try Int.fetchOne(db, sql: "PRAGMA page_count") == 0 else { return }
                try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            }
        }
        return configuration
    }

    /// Makes the file before SQLite opens it, so that others can't read it even for a moment: its -wal and -shm files take its
    /// mode over.
    private static func prepareFile(_ path: String, isPrivate: Bool) throws(FileError) {
        try Folders.make(Folders.parent(of: path), mode: 0o700)
        let file = try FileDescriptor(path, O_RDWR | O_CREAT | (isPrivate ? O_NOFOLLOW : 0), mode: 0o600)
        if isPrivate, fchmod(file.number, 0o600) != 0 { throw .system(errno) }
    }

    /// Runs a step that only reads, on one state of the store.
    public func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(EpitopeError) -> Value {
        do { return try await pool.read(body) } catch { throw Self.error(error, path, describe) }
    }

    /// Runs a step as one transaction, which is on the disk when this returns. Where the step throws, nothing of it is kept.
    public func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(EpitopeError) -> Value {
        do { return try await pool.write(body) } catch { throw Self.error(error, path, describe) }
    }

    /// An error that a step threw itself passes as it is.
    private static func error(
        _ error: any Error, _ path: String, _ describe: @Sendable (SQLiteFailure, _ path: String) -> EpitopeError
    ) -> EpitopeError {
        error as? EpitopeError ?? describe(SQLiteFailure(error), path)
    }
}
