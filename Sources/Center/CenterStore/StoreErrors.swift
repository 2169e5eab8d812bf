// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import GRDB

extension EpitopeError.Code {
    /// The store could not read or write; the operation did not happen.
    public static let storeFailed = EpitopeError.Code("store-failed")
    /// The store's file is damaged, or not a store.
    public static let storeUnusable = EpitopeError.Code("store-unusable")
    /// Too many messages are waiting to be stored.
    public static let storeBusy = EpitopeError.Code("store-busy")
    /// Every sid of the store's range is in use.
    public static let sidsExhausted = EpitopeError.Code("sids-exhausted")
    /// No update of that signature is known here.
    public static let signatureUnknown = EpitopeError.Code("signature-unknown")
    /// The store has no packet of that id.
    public static let packetNotFound = EpitopeError.Code("packet-not-found")
}

extension EpitopeError {
    /// Translates an error of the database into one that a person can act on.
    static func store(_ error: any Error, path: String) -> EpitopeError {
        if let error = error as? EpitopeError { return error }
        guard let failure = error as? DatabaseError else {
            return EpitopeError(
                .storeFailed, "the store \(path) failed: \(error)",
                remedy: "look at the folder's owner and rights, and at the system's log for disk errors")
        }
        switch failure.resultCode {
        case .SQLITE_FULL:
            return EpitopeError(
                .diskFull, "the store \(path) is full: nothing more can be stored",
                remedy: "free disk space, raise the store's bound, or lower the setting keepDays; "
                    + "senders keep packets that were not acknowledged")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return EpitopeError(
                .storeUnusable, "the store \(path) is damaged or not a store: \(failure.message ?? "no detail")",
                remedy: "move the file and its -wal and -shm files away (keep them), then restore a backup or run init again")
        default:
            return EpitopeError(
                .storeFailed,
                "the store \(path) failed: \(failure.message ?? "no detail") (SQLite \(failure.extendedResultCode.rawValue))",
                remedy: "look at the file's owner and rights, and at the system's log for disk errors")
        }
    }
}
