// SPDX-License-Identifier: Apache-2.0

import FileAccess
import GRDB
import Glibc

/// Room for the write-ahead log (WAL), written ahead.
///
/// A commit waits until the disk has it. Where the log's file grows by the commit, that wait is for the file system's own journal,
/// too, which others use: some milliseconds, and many times that on a busy disk. Where the commit overwrites blocks that the file
/// has, it is a fraction of a millisecond. A log grows only until it is as long as SQLite lets it become before it is begun anew
/// (`wal_autocheckpoint`), but a program that stores a packet now and then never gets there.
extension SQLiteStore {
    /// How many pages a commit may add beyond those of a checkpoint.
    private static let pagesBeyond = 64
    /// Of the log's header, and of that of each page in it, in bytes (the database file format, "The Write-Ahead Log").
    private static let logHeaderBytes = 32
    private static let pageHeaderBytes = 24
    private static let zeros = [UInt8](repeating: 0, count: 1 << 16)

    /// Lengthens the log's file by zeros to what it becomes between two checkpoints, unless it is as long already. For programs that
    /// keep a store open; the last one that closes it removes the log. What can't be done is left: commits are slower then.
    ///
    /// Zeros behind the log's end are no page to SQLite: each page there must have the log's salts.
    public func reserveLog() async {
        let path = pool.path + "-wal"
        let reserved: FileDescriptor? = try? await pool.writeWithoutTransaction { db in
            guard let bytes = try Self.usualLogBytes(db), let file = try? FileDescriptor(path, O_RDWR | O_NOFOLLOW) else { return nil }
            // Mostly it is: then nobody's lock is waited for.
            guard let status = try? file.status(), status.identity.size < Int64(bytes) else { return nil }
            var isLonger = false
            // While this transaction stands no other program writes to the log.
            try db.inTransaction(.immediate) {
                isLonger = Self.lengthen(file, to: bytes)
                return .rollback
            }
            return isLonger ? file : nil
        }
        // Not within the transaction: others would wait for it.
        if let reserved { _ = fdatasync(reserved.number) }
    }

    /// How long the log becomes between two checkpoints, in bytes; `nil`: there are none.
    static func usualLogBytes(_ db: Database) throws -> Int? {
        let pages = try Int.fetchOne(db, sql: "PRAGMA wal_autocheckpoint") ?? 0
        let pageSize = try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0
        return pages > 0 && pageSize > 0 ? (pages + pagesBeyond) * (pageSize + pageHeaderBytes) + logHeaderBytes : nil
    }

    /// How long the log of the store at a path is, in bytes.
    public static func logBytes(of path: String) -> Int64 { (try? FileStatus(path: path + "-wal")).map { Int64($0.identity.size) } ?? 0 }

    /// Writes a log that is longer than usual back into the file and shortens it, as far as no reader needs it: one that grew behind one
    /// stays long otherwise, also over a restart.
    public func shortenLog() async {
        _ = try? await pool.writeWithoutTransaction { db in
            guard let usual = try Self.usualLogBytes(db), Self.logBytes(of: path) > Int64(usual) else { return }
            _ = try db.checkpoint(.truncate)
        }
    }

    /// Whether a file was lengthened. One that can't be as a whole stays as it was: the disk's last room is not for this.
    private static func lengthen(_ file: FileDescriptor, to bytes: Int) -> Bool {
        guard let status = try? file.status(), status.kind == .regular, let length = Int(exactly: status.identity.size), length < bytes
        else { return false }
        do throws(FileError) {
            var place = length
            while place < bytes {
                let count = min(zeros.count, bytes - place)
                var failure: FileError?
                zeros.withUnsafeBytes { raw in
                    do throws(FileError) {
                        try DescriptorIO.write(UnsafeRawBufferPointer(rebasing: raw[..<count]), to: file.number, at: place)
                    } catch {
                        failure = error
                    }
                }
                if let failure { throw failure }
                place += count
            }
            return true
        } catch {
            _ = ftruncate(file.number, off_t(length))
            return false
        }
    }
}
