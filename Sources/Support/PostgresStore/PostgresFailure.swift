// SPDX-License-Identifier: Apache-2.0

/// Why a database could not be reached, read or written. Each store turns it into errors of its own, with stable codes.
public enum PostgresFailure: Error, Sendable, CustomStringConvertible {
    /// libpq, PostgreSQL's client library, is not installed.
    case libraryMissing
    /// No server answers, or the connection broke. What was asked for did not happen.
    case unreachable(message: String)
    /// The connection broke, or the server gave up waiting for its standby, while the transaction was committed: it may have
    /// happened.
    case outcomeUnknown(message: String)
    /// The server is a standby, or allows no writing.
    case notPrimary(message: String)
    /// The server refuses the connection, or the rights that are needed.
    case refused(message: String)
    /// Another transaction was in the way, again and again.
    case conflict(message: String)
    /// A lock was not to be had in time, the server ended a statement that took too long, or has no place for a connection.
    case busy(message: String)
    /// The server's disk is full.
    case full(message: String)
    /// The database is damaged, or its schema is not the one that is expected.
    case damaged(message: String)
    /// The server refused a statement.
    case failed(message: String, sqlState: String)
    /// Something else failed.
    case other(any Error)

    public var description: String {
        switch self {
        case .libraryMissing: "libpq is not installed"
        case .unreachable(let message): "it can't be reached: \(message)"
        case .outcomeUnknown(let message): "it is not known whether it was committed: \(message)"
        case .notPrimary(let message): "it can't be written: \(message)"
        case .refused(let message): "it refuses the connection: \(message)"
        case .conflict(let message): "another transaction was in the way: \(message)"
        case .busy(let message): "it is busy: \(message)"
        case .full(let message): "it is full: \(message)"
        case .damaged(let message): "it is damaged: \(message)"
        case .failed(let message, let state): "\(message) (SQLSTATE \(state))"
        case .other(let error): "\(error)"
        }
    }
}

extension PostgresFailure {
    /// - Parameter state: the error's SQLSTATE (PostgreSQL's documentation, appendix A).
    init(sqlState state: String, message: String) {
        self =
            switch state {
            case "25006": .notPrimary(message: message)
            case "40001", "40P01": .conflict(message: message)
            case "53100": .full(message: message)
            case "55P03", "57014", "53300", "53400", "25P03": .busy(message: message)
            case "3D000", "42501": .refused(message: message)
            case "XX001", "XX002": .damaged(message: message)
            default:
                switch state.prefix(2) {
                case "28": .refused(message: message)
                case "08", "57": .unreachable(message: message)
                default: .failed(message: message, sqlState: state)
                }
            }
    }

    /// Whether another connection may do what this one could not.
    var needsAnotherConnection: Bool {
        switch self {
        case .unreachable, .notPrimary: true
        default: false
        }
    }

    /// Whether the same transaction may succeed if it is run again at once.
    var isWorthRepeating: Bool {
        switch self {
        case .conflict: true
        // A row that is referred to was removed meanwhile; a plan that was made before the schema grew.
        case .failed(_, let state): state == "23503" || state == "0A000" || state == "26000"
        default: false
        }
    }
}
