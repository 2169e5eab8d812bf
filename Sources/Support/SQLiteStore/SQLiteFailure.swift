// SPDX-License-Identifier: Apache-2.0

public import FileAccess
import GRDB

/// Why a store could not be opened, read or written. Each store turns it into errors of its own, with stable codes.
public enum SQLiteFailure: Error, Sendable, CustomStringConvertible {
    /// The store's folder or file can't be made or opened.
    case unopenable(FileError)
    /// The disk, or the room that the store may take, is full. What was asked for did not happen.
    case full
    /// Another process kept the store locked for longer than this one waits.
    case busy
    /// The file is damaged, or is not a database.
    case damaged(message: String?)
    /// SQLite failed otherwise.
    ///
    /// - resultCode: SQLite's extended result code.
    case failed(message: String?, resultCode: Int32)
    /// Something other than SQLite failed.
    case other(any Error)

    init(_ error: any Error) {
        self =
            switch error {
            case let error as DatabaseError: Self(error)
            case let error as FileError: .unopenable(error)
            default: .other(error)
            }
    }

    private init(_ error: DatabaseError) {
        self =
            switch error.resultCode {
            case .SQLITE_FULL: .full
            case .SQLITE_BUSY, .SQLITE_LOCKED: .busy
            case .SQLITE_CORRUPT, .SQLITE_NOTADB: .damaged(message: error.message)
            default: .failed(message: error.message, resultCode: error.extendedResultCode.rawValue)
            }
    }

    public var description: String {
        switch self {
        case .unopenable(let error): "it can't be opened: \(error)"
        case .full: "it is full"
        case .busy: "another process keeps it locked"
        case .damaged(let message): "it is damaged: \(message ?? "no detail")"
        case .failed(let message, let code): "\(message ?? "no detail") (SQLite \(code))"
        case .other(let error): "\(error)"
        }
    }
}
