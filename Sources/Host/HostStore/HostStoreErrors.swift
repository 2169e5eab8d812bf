// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB

extension EpitopeError.Code {
    /// The store cannot be opened, read or written: it is damaged, it is not a host store, or permission is missing.
    public static let hostStoreUnusable = EpitopeError.Code("host-store-unusable")
    /// The spool holds as many packets as it may; the newest was not spooled.
    public static let spoolFull = EpitopeError.Code("spool-full")
}

extension EpitopeError {
    /// A database error as an error for a person.
    static func store(_ error: any Error, path: String) -> EpitopeError {
        guard let error = error as? DatabaseError else {
            return error as? EpitopeError ?? unusable(path, "\(error)")
        }
        switch error.resultCode {
        case .SQLITE_FULL:
            return EpitopeError(
                .diskFull, "no space is left to store a packet in \(path)",
                remedy: "free space on that disk; packets that were stored before are safe and are sent")
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            return unusable(path, "another program held it for too long")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return EpitopeError(
                .hostStoreUnusable, "the host's store \(path) is damaged",
                remedy:
                    "move the file and those beside it with -wal and -shm away and start again; packets that wait in it are in the moved files"
            )
        default:
            return unusable(path, error.message ?? "SQLite error \(error.extendedResultCode.rawValue)")
        }
    }

    static func unusable(_ path: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .hostStoreUnusable, "the host's store \(path) cannot be used: \(reason)",
            remedy: "check that the folder exists, belongs to this user and is on a local disk")
    }
}
