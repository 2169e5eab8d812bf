// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import FileAccess
import GRDB
import SQLiteStore

/// How far reports may fill a store and its disk. What people decide, and what becomes of the reports that are there, is stored beyond it.
public struct ReportRoom: Hashable, Sendable {
    /// What may be in use of the store's file, in bytes, for another report to be stored; `nil`: any number.
    public var maxBytes: Int64?
    /// What must be free on the store's disk, in bytes, for another report to be stored, beside as much as the store's log is long; of a
    /// small disk a twentieth of it.
    ///
    /// The log is written into the file once no reader needs the state before it; until then it grows, and the file may need as much again.
    /// A backup that stands still would otherwise have it take the last room of the disk, which then lacks for writing it back.
    public var keptFreeBytes: Int64

    public init(maxBytes: Int64? = nil, keptFreeBytes: Int64 = 0) {
        self.maxBytes = maxBytes
        self.keptFreeBytes = keptFreeBytes
    }

    /// Checks that there is room for another report in the store at a path.
    ///
    /// - Throws: `disk-full`.
    func check(_ db: Database, path: String, leastFreeBytes: Int64 = 0) throws {
        if let maxBytes, try SQLiteStore.usedBytes(db) >= maxBytes { throw EpitopeError.storeBound(maxBytes) }
        guard let disk = FileSystemRoom(at: path) else { return }
        if disk.availableBytes < leastFreeBytes { throw EpitopeError.store(.full, path) }
        try requireFree(keptBytes(of: disk), of: disk, path: path, logBytes: SQLiteStore.logBytes(of: path))
    }

    /// Checks that there is room for what becomes of the reports that are there: half of what is kept free of reports.
    ///
    /// - Throws: `disk-full`.
    func checkForWork(path: String) throws(EpitopeError) {
        guard let disk = FileSystemRoom(at: path) else { return }
        try requireFree(keptBytes(of: disk) / 2, of: disk, path: path, logBytes: SQLiteStore.logBytes(of: path))
    }

    /// What must be free of a disk for another report.
    public func keptBytes(of disk: FileSystemRoom) -> Int64 { min(keptFreeBytes, disk.totalBytes / 20) }

    /// - Parameter logBytes: how long the store's log is. What it has in any case is not counted.
    /// - Throws: `disk-full`.
    func requireFree(_ kept: Int64, of disk: FileSystemRoom, path: String, logBytes: Int64) throws(EpitopeError) {
        guard disk.availableBytes >= kept else { throw .diskReserve(path, freeBytes: disk.availableBytes, keptBytes: kept) }
        guard logBytes > Self.usualLogBytes, disk.availableBytes < kept + logBytes else { return }
        throw .logTooLong(path, freeBytes: disk.availableBytes, logBytes: logBytes)
    }

    /// A log is no longer between two checkpoints (``SQLiteStore/reserveLog()``): some 17 MB.
    private static let usualLogBytes: Int64 = 24 << 20
}
