// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import FoundationEssentials
internal import GRDB

#if canImport(Glibc)
internal import Glibc
#else
internal import Musl
#endif

/// The durable store of a center, local or global. Every step from a received packet to a deployed rule commits its
/// result here before the next step begins, so a center that is killed at any point resumes where it stopped.
///
/// One SQLite file in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns. Several processes
/// may have it open (the server, and an operator's commands).
///
/// Every method throws `store-failed` or `store-unusable` when the file can't be read, and one that writes also
/// `disk-full`; only further errors are listed with a method.
public final class CenterStore: Sendable {
    public let path: String
    public let clock: CenterClock
    let pool: DatabasePool
    let groupCommit: GroupCommit

    /// Opens a store, or creates it with mode 0600, and its folder with 0700.
    ///
    /// - Parameter maxBytes: the maximum size of the file in bytes; `nil`: no limit but the disk.
    /// - Throws: `store-unusable` when the file is damaged or not a store, `store-failed`, `disk-full`.
    public init(path: String, maxBytes: Int64? = nil, clock: CenterClock = .system) throws(EpitopeError) {
        do {
            try Self.prepareFile(path)
            var configuration = Configuration()
            configuration.busyMode = .timeout(10)
            configuration.label = "center-store"
            let pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { db in
                // DatabasePool chooses NORMAL, with which a power cut loses commits that were acknowledged.
                try db.execute(sql: "PRAGMA synchronous = FULL")
                if let maxBytes {
                    let pageSize = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
                    _ = try Int64.fetchOne(db, sql: "PRAGMA max_page_count = \(max(1, maxBytes / pageSize))")
                }
            }
            try Schema.migrator.migrate(pool)
            self.pool = pool
        } catch {
            throw EpitopeError.store(error, path: path)
        }
        self.path = path
        self.clock = clock
        groupCommit = GroupCommit(pool: pool, path: path, clock: clock)
    }

    /// The file is made before SQLite opens it: its -wal and -shm files take its mode over.
    private static func prepareFile(_ path: String) throws {
        let folder = path.deletingLastComponent
        if !folder.isEmpty, !FileManager.default.fileExists(atPath: folder) {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw EpitopeError(
                .storeFailed, "the store \(path) can't be opened: \(reason)",
                remedy: "give the center's user the right to write there, or name another folder")
        }
        close(descriptor)
    }

    /// Reads from one state of the store, whatever is written meanwhile. A write in it fails with `store-failed`.
    ///
    /// - Throws: `store-failed`, `store-unusable`, or what the body throws.
    public func snapshot<Value: Sendable>(
        _ body: @escaping @Sendable (StoreTransaction) throws -> Value
    ) async throws(EpitopeError) -> Value {
        let clock = clock
        do {
            return try await pool.read { db in try body(StoreTransaction(db: db, clock: clock)) }
        } catch {
            throw EpitopeError.store(error, path: path)
        }
    }

    /// Runs a step as one transaction, which is on the disk when this returns.
    ///
    /// - Throws: `disk-full`, `store-failed`, `store-unusable`, or what the body throws.
    @discardableResult
    public func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (StoreTransaction) throws -> Value
    ) async throws(EpitopeError) -> Value {
        let clock = clock
        do {
            return try await pool.write { db in try body(StoreTransaction(db: db, clock: clock)) }
        } catch {
            throw EpitopeError.store(error, path: path)
        }
    }
}

extension String {
    /// The path without its last component; empty when there is only one.
    fileprivate var deletingLastComponent: String {
        guard let slash = lastIndex(of: "/") else { return "" }
        return String(self[..<slash])
    }
}
