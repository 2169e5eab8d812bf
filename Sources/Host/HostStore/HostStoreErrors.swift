// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import SQLiteStore

extension EpitopeError.Code {
    /// The store cannot be opened, read or written: it is damaged, it is not a host store, or permission is missing.
    public static let hostStoreUnusable = EpitopeError.Code("host-store-unusable")
    /// The store is damaged. A running host puts it aside and begins a new one.
    public static let hostStoreDamaged = EpitopeError.Code("host-store-damaged")
    /// The spool holds as many packets as it may; the newest was not spooled.
    public static let spoolFull = EpitopeError.Code("spool-full")
}

extension EpitopeError {
    /// A failure of the database as an error for a person.
    static func hostStore(_ failure: SQLiteFailure, _ path: String) -> EpitopeError {
        switch failure {
        case .full:
            EpitopeError(
                .diskFull, "no space is left to store a packet in \(path)",
                remedy: "free space on that disk; packets that were stored before are safe and are sent")
        case .damaged:
            EpitopeError(
                .hostStoreDamaged, "the host's store \(path) is damaged",
                remedy:
                    "the next report puts it aside as \(path).damaged and begins a new one; packets that wait are in the file put aside"
            )
        case .busy: unusable(path, "another program held it for too long")
        case .unopenable(let error): unusable(path, "\(error)")
        case .failed(let message, let code): unusable(path, message ?? "SQLite error \(code)")
        case .other(let error): unusable(path, "\(error)")
        }
    }

    private static func unusable(_ path: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .hostStoreUnusable, "the host's store \(path) cannot be used: \(reason)",
            remedy: "check that the folder exists, belongs to this user and is on a local disk")
    }
}
