// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import FoundationEssentials
internal import GRDB

#if canImport(Glibc)
internal import Glibc
#else
internal import Musl
#endif

/// The durable memory of a center, local or global: every step of the chain from a received packet to a rule in
/// force has its result here before the next begins, so that a center that is killed at any point carries on.
///
/// One SQLite file in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns. Several processes
/// may have it open (the server, and a person's commands).
public final class CenterStore: Sendable {
    public let path: String
    public let clock: CenterClock
    let pool: DatabasePool
    let groupCommit: GroupCommit

    /// Opens a store, or makes it, with the mode 0600 and its folder with 0700.
    ///
    /// - Parameter largestBytes: the most that the file may measure, in bytes; `nil`: as much as the disk holds.
    /// - Throws: `store-unusable` where the file is damaged or something else, `store-failed`, `disk-full`.
    public init(path: String, largestBytes: Int64? = nil, clock: CenterClock = .system) throws(EpitopeError) {
        do {
            try Self.prepareFile(path)
            var configuration = Configuration()
            configuration.busyMode = .timeout(10)
            configuration.label = "center-store"
            let pool = try DatabasePool(path: path, configuration: configuration)
            try pool.writeWithoutTransaction { db in
                // DatabasePool chooses NORMAL, with which a power cut loses commits that were acknowledged.
                try db.execute(sql: "PRAGMA synchronous = FULL")
                if let largestBytes {
                    let pageSize = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 4096
                    _ = try Int64.fetchOne(db, sql: "PRAGMA max_page_count = \(max(1, largestBytes / pageSize))")
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

    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(EpitopeError) -> Value {
        do {
            return try await pool.read(body)
        } catch {
            throw EpitopeError.store(error, path: path)
        }
    }

    /// Runs a step as one transaction, which is on the disk when this returns.
    func write<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws(EpitopeError) -> Value {
        do {
            return try await pool.write(body)
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
