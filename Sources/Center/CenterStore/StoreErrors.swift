// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import GRDB

extension EpitopeError.Code {
    /// The store could not read or write; what it was asked for did not happen.
    public static let storeFailed = EpitopeError.Code("store-failed")
    /// The store's file is damaged, or no store.
    public static let storeUnusable = EpitopeError.Code("store-unusable")
    /// More messages wait to be stored than the store takes on at once.
    public static let storeBusy = EpitopeError.Code("store-busy")
    /// Every sid of the store's range is given out.
    public static let sidsExhausted = EpitopeError.Code("sids-exhausted")
    /// No update of that signature is known here.
    public static let signatureUnknown = EpitopeError.Code("signature-unknown")
    /// A packet carries as its signature what can't be one.
    public static let signatureMalformed = EpitopeError.Code("signature-malformed")
}

extension EpitopeError {
    /// Puts an error of the database into words that a person can act on.
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
                remedy: "make room on the disk, raise the store's bound, or lower the days that packets are kept; "
                    + "senders keep what was not acknowledged")
        case .SQLITE_CORRUPT, .SQLITE_NOTADB:
            return EpitopeError(
                .storeUnusable, "the store \(path) is damaged or no store: \(failure.message ?? "no detail")",
                remedy: "move the file and its -wal and -shm files away (keep them), put back a backup or start anew")
        default:
            return EpitopeError(
                .storeFailed,
                "the store \(path) failed: \(failure.message ?? "no detail") (SQLite \(failure.extendedResultCode.rawValue))",
                remedy: "look at the file's owner and rights, and at the system's log for disk errors")
        }
    }
}
