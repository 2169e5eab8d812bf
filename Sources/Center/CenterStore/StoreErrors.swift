// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import PostgresStore
import SQLiteStore
import SecureChannel

extension EpitopeError.Code {
    /// The store's file is damaged, or not a store.
    public static let storeUnusable = EpitopeError.Code("store-unusable")
    /// The store does not take what the program writes: a fault of the program, and not of a file or disk.
    public static let storeRefused = EpitopeError.Code("store-refused")
    /// The store is of an earlier version, and a center works on it.
    public static let storeOlder = EpitopeError.Code("store-older")
    /// Another center of the site does the work now.
    public static let workMoved = EpitopeError.Code("work-moved")
    /// The database is that of a center with another authority, or of another kind.
    public static let storeOfAnotherCenter = EpitopeError.Code("store-of-another-center")
    /// A store is to be moved to where there is one already.
    public static let storeNotEmpty = EpitopeError.Code("store-not-empty")
    /// PostgreSQL's client library is not installed.
    public static let libpqMissing = EpitopeError.Code("libpq-missing")
    /// Every sid of the store's range is in use.
    public static let sidsExhausted = EpitopeError.Code("sids-exhausted")
    /// No update of that signature is known here.
    public static let signatureUnknown = EpitopeError.Code("signature-unknown")
    /// The store has no packet of that id.
    public static let packetNotFound = EpitopeError.Code("packet-not-found")
}

extension EpitopeError {
    static func storeBound(_ maxBytes: Int64) -> EpitopeError {
        EpitopeError(
            .diskFull, "the reports that are stored take as much room as they may: \(maxBytes >> 20) MB",
            remedy: "see who sends so much (`events`), then raise the setting storeMegabytes, or lower keepDays; "
                + "senders keep packets that were not acknowledged")
    }

    static func diskReserve(_ path: String, freeBytes: Int64, keptBytes: Int64) -> EpitopeError {
        EpitopeError(
            .diskFull,
            "the disk of the store \(path) has \(freeBytes >> 20) MB free, and \(keptBytes >> 20) MB are kept for other than reports",
            remedy:
                "free disk space, or lower the setting keepDays or diskReserveMegabytes; senders keep packets that were not acknowledged")
    }

    static func logTooLong(_ path: String, freeBytes: Int64, logBytes: Int64) -> EpitopeError {
        EpitopeError(
            .diskFull,
            "the log \(path)-wal is \(logBytes >> 20) MB long and can't be written back, since another program reads the store, and its disk "
                + "has \(freeBytes >> 20) MB free",
            remedy:
                "end what reads it, such as a backup that stands still (`fuser \(path)`), or free disk space; senders keep packets that "
                + "were not acknowledged")
    }

    static func storeOlder(_ path: String) -> EpitopeError {
        EpitopeError(
            .storeOlder, "the store \(path) is of an earlier version, and a center of that version works on it",
            remedy: "use that version's `epitope`, or restart the center with this one")
    }

    static let databaseOlder = EpitopeError(
        .storeOlder, "the database is empty, or of an earlier version",
        remedy: "start a center of this version (`serve`), which brings it up to date, or use the version of the centers that run")

    static let workMoved = EpitopeError(
        .workMoved, "another center of this site does the work now: nothing of this step is kept",
        remedy: "nothing: this center goes on taking packets, and takes the work over when that one ends")

    /// Translates a failure of a PostgreSQL database into an error that a person can act on.
    static func store(_ failure: PostgresFailure) -> EpitopeError {
        switch failure {
        case .libraryMissing:
            EpitopeError(
                .libpqMissing, "PostgreSQL's client library (libpq.so.5) is not installed", remedy: "install it: Debian's package libpq5")
        case .unreachable(let message):
            EpitopeError(
                .storeFailed, "no server of the database can be reached that can be written: \(message)",
                remedy: message.contains("no password supplied")
                    ? "name the file with the password in the environment: PGPASSFILE, which `serve` has from its unit and each command needs"
                    : "see that a primary runs, and that the setting store.postgresql names its host; senders keep their packets")
        case .notPrimary(let message):
            EpitopeError(
                .storeFailed, "the database can't be written: \(message)",
                remedy: "name all servers in the setting store.postgresql: the primary is found among them; senders keep their packets")
        case .outcomeUnknown(let message):
            EpitopeError(
                .storeFailed, "it is not known whether the database has committed: \(message)",
                remedy:
                    "see that the primary runs, and a synchronous standby where one is configured; what was not acknowledged is sent again")
        case .refused(let message):
            EpitopeError(
                .storeFailed, "the database refuses this center: \(message)",
                remedy: "see the user, its password (PGPASSFILE) and its rights: it must own the schema epitope, or may make it")
        case .conflict(let message), .busy(let message):
            EpitopeError(
                .storeFailed, "the database is busy: \(message)",
                remedy: "see what holds its locks (pg_stat_activity), and how many connections it allows; senders keep their packets")
        case .full(let message):
            EpitopeError(
                .diskFull, "the database's disk is full: \(message)",
                remedy: "free disk space there, or lower the setting keepDays; senders keep packets that were not acknowledged")
        case .damaged(let message):
            EpitopeError(
                .storeUnusable, "the database can't be used: \(message)",
                remedy: "use the version of the program that made it, or a later one; if it is damaged, restore a backup")
        case .failed(let message, let state) where ["22", "23", "42"].contains(state.prefix(2)):
            EpitopeError(
                .storeRefused, "the database doesn't take what the program writes: \(message) (SQLSTATE \(state))",
                remedy: "report it with the lines of the log around it; what it concerns is put aside, and the center goes on")
        case .failed(let message, let state):
            EpitopeError(
                .storeFailed, "the database failed: \(message) (SQLSTATE \(state))",
                remedy: "see the server's log")
        case .other(let error):
            EpitopeError(.storeFailed, "the database failed: \(error)", remedy: "see the center's and the server's log")
        }
    }

    /// Translates a failure of a SQLite file into an error that a person can act on.
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
    /// locked; or nothing of the work, which another center does.
    public var isOfWholeStore: Bool { [.diskFull, .storeFailed, .storeBusy, .workMoved].contains(code) }
}
