// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Glibc

extension EpitopeError.Code {
    /// There is a file of the backup's name already.
    public static let backupExists = EpitopeError.Code("backup-exists")
    /// The backup can't be written or read.
    public static let backupFailed = EpitopeError.Code("backup-failed")
    /// The backup was stopped by a signal.
    public static let backupStopped = EpitopeError.Code("backup-stopped")
    /// The file is no backup, or damaged.
    public static let backupDamaged = EpitopeError.Code("backup-damaged")
    /// The backup is of a center of the other kind.
    public static let backupOfAnotherKind = EpitopeError.Code("backup-of-another-kind")
    /// The backup is of a later version.
    public static let backupNewer = EpitopeError.Code("backup-newer")
    /// There is something in the folder that a backup is to be restored to.
    public static let stateNotEmpty = EpitopeError.Code("state-not-empty")
}

extension EpitopeError {
    static func backupExists(_ path: String) -> EpitopeError {
        EpitopeError(
            .backupExists, "\(path) is there already, and is not overwritten",
            remedy: "give another name, or a folder: the file gets a name by the time then")
    }

    /// - Parameter what: "write", or "read".
    static func backupFailed(_ what: String, _ path: String, _ error: FileError) -> EpitopeError {
        switch error.number {
        case ENOSPC, EDQUOT: backupFull(path)
        default:
            EpitopeError(
                .backupFailed, "could not \(what) \(path): \(error)",
                remedy: "see that the folder is there, and that this user may \(what) there")
        }
    }

    static func backupFull(_ path: String, needed: Int64? = nil) -> EpitopeError {
        EpitopeError(
            .diskFull,
            "no room is left for \(path)" + (needed.map { ", which needs some \(($0 >> 20) + 1) MB" } ?? "") + ": nothing of it is left",
            remedy: "make room on that disk, or name another one")
    }

    static func backupDamaged(_ path: String, _ why: String) -> EpitopeError {
        EpitopeError(
            .backupDamaged, "\(path) is not a backup, or is damaged: \(why)",
            remedy: "take another copy of it, or an earlier backup")
    }

    static func backupOfAnotherKind(_ kind: String, wanted: String) -> EpitopeError {
        EpitopeError(
            .backupOfAnotherKind, "the backup is of a \(kind), not of a \(wanted)",
            remedy: "use `epitope \(kind) restore`")
    }

    static func backupNewer() -> EpitopeError {
        EpitopeError(
            .backupNewer, "the backup was made by a later version of epitope, which this one doesn't understand",
            remedy: "restore it with that version, or a later one")
    }

    static func stateNotEmpty(_ folder: String, _ what: String) -> EpitopeError {
        EpitopeError(
            .stateNotEmpty, "\(folder) \(what)",
            remedy: "move that folder away (and keep it), or name another one with --state")
    }
}

extension BackupWriter {
    /// For who is asked about the progress, and wants none: the work is stopped.
    public static let stopped = EpitopeError(.backupStopped, "stopped: nothing of it is left", remedy: "begin it again")
}
