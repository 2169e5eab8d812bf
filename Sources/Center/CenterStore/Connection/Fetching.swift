// SPDX-License-Identifier: Apache-2.0

import GRDB
import PostgresStore

// What GRDB reads from its own connection is read from the store's in the same words.

extension Row {
    /// - Parameter isKept: whether the statement is kept for its next run; not where its text depends on how many arguments there are.
    static func fetchAll(_ db: StoreConnection, sql: String, arguments: StoreArguments = [], isKept: Bool = true) throws -> [Row] {
        if case .sqlite(let database) = db, !isKept { return try fetchAll(database, sql: sql, arguments: arguments.sqlite) }
        return try fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchOne(_ db: StoreConnection, sql: String, arguments: StoreArguments = []) throws -> Row? {
        try fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchAll(_ statement: StoreStatement, arguments: StoreArguments) throws -> [Row] {
        switch statement {
        case .sqlite(let statement, _): try fetchAll(statement, arguments: arguments.sqlite)
        case .postgres(let sql, let connection): try connection.execute(sql, arguments.postgres).rows()
        }
    }

    static func fetchOne(_ statement: StoreStatement, arguments: StoreArguments) throws -> Row? {
        switch statement {
        case .sqlite(let statement, _): try fetchOne(statement, arguments: arguments.sqlite)
        case .postgres(let sql, let connection): try connection.execute(sql, arguments.postgres).rows().first
        }
    }
}

/// The first column of each row.
extension DatabaseValueConvertible where Self: StatementColumnConvertible {
    static func fetchAll(_ db: StoreConnection, sql: String, arguments: StoreArguments = []) throws -> [Self] {
        try fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchOne(_ db: StoreConnection, sql: String, arguments: StoreArguments = []) throws -> Self? {
        try fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchAll(_ statement: StoreStatement, arguments: StoreArguments) throws -> [Self] {
        switch statement {
        case .sqlite(let statement, _): return try fetchAll(statement, arguments: arguments.sqlite)
        case .postgres(let sql, let connection):
            let result = try connection.execute(sql, arguments.postgres)
            return try (0..<result.rowCount).map { row in
                guard let value = Self.fromDatabaseValue(try result.databaseValue(row, 0)) else {
                    throw PostgresFailure.damaged(message: "column \(result.columns[0]) is not of the type \(Self.self)")
                }
                return value
            }
        }
    }

    static func fetchOne(_ statement: StoreStatement, arguments: StoreArguments) throws -> Self? {
        switch statement {
        case .sqlite(let statement, _): return try fetchOne(statement, arguments: arguments.sqlite)
        case .postgres(let sql, let connection):
            let result = try connection.execute(sql, arguments.postgres)
            guard result.rowCount > 0 else { return nil }
            return Self.fromDatabaseValue(try result.databaseValue(0, 0))
        }
    }
}
