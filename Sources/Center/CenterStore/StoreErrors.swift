// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import SQLiteStore
import SecureChannel

extension EpitopeError.Code {
    /// The store's file is damaged, or not a store.
    public static let storeUnusable = EpitopeError.Code("store-unusable")
    /// The store does not take what the program writes: a fault of the program, and not of a file or disk.
    public static let storeRefused = EpitopeError.Code("store-refused")
    /// The store is of an earlier version, and a center works on it.
    public static let storeOlder = EpitopeError.Code("store-older")
    /// Every sid of the store's range is in use.
    public static let sidsExhausted = EpitopeError.Code("sids-exhausted")
    /// No update of that signature is known here.
    public static let signatureUnknown = EpitopeError.Code("signature-unknown")
    /// The store has no packet of that id.
    public static let packetNotFound = EpitopeError.Code("packet-not-found")
}

extension EpitopeError {
    static func storeOlder(_ path: String) -> EpitopeError {
        EpitopeError(
            .storeOlder, "the store \(path) is of an earlier version, and a center of that version works on it",
            remedy: "use that version's `epitope`, or restart the center with this one")
    }

    /// Translates a failure of the database into an error that a person can act on.
    static func store(_ failure: SQLiteFailure, _ path: String) -> EpitopeError {
        switch failure {
        case .unopenable(let error):
            EpitopeError(
                .storeFailed, "the store \(path) can't be opened: \(error)",
                remedy: "give the center's user the right to write there, or name another folder")
        case .full:
            EpitopeError(
                .diskFull, "the store \(path) is full: nothing more can be stored",
                remedy: "free disk space, raise the store's bound, or lower the setting keepDays; "
                    + "senders keep packets that were not acknowledged")
        case .damaged(let message):
            EpitopeError(
                .storeUnusable, "the store \(path) is damaged or not a store: \(message ?? "no detail")",
                remedy:
                    "move the file and its -wal and -shm files away (keep them), then restore a backup, or start without one: that has forgotten everything, also who was revoked"
            )
        case .busy:
            EpitopeError(
                .storeFailed, "the store \(path) failed: another process kept it locked",
                remedy: "see which other epitope command uses it, and try again when that has ended")
        case .failed(let message, let resultCode) where isOfProgram(resultCode):
            EpitopeError(
                .storeRefused, "the store \(path) doesn't take what the program writes: \(message ?? "no detail") (SQLite \(resultCode))",
                remedy: "report it with the lines of the log around it; what it concerns is put aside, and the center goes on")
        case .failed(let message, let resultCode):
            EpitopeError(
                .storeFailed,
                "the store \(path) failed: \(message ?? "no detail") (SQLite \(resultCode))",
                remedy: "look at the file's owner and rights, and at the system's log for disk errors")
        case .other(let error):
            EpitopeError(
                .storeFailed, "the store \(path) failed: \(error)",
                remedy: "look at the folder's owner and rights, and at the system's log for disk errors")
        }
    }

    /// Whether a statement, and no file, is at fault: SQLITE_ERROR, SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_RANGE.
    private static func isOfProgram(_ resultCode: Int32) -> Bool { [1, 19, 20, 25].contains(resultCode & 0xff) }
}

extension EpitopeError {
    /// Whether the store can do nothing now, whatever it is asked: on a disk that is full or fails, or while another process keeps it
    /// locked.
    public var isOfWholeStore: Bool { [.diskFull, .storeFailed, .storeBusy].contains(code) }
}
