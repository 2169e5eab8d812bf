// SPDX-License-Identifier: Apache-2.0

import GRDB

// What GRDB reads from its own connection is read from the store's in the same words.

extension Row {
    /// - Parameter isKept: whether the statement is kept for its next run; not where its text depends on how many arguments there are.
    static func fetchAll(_ db: StoreConnection, sql: String, arguments: StoreArguments = [], isKept: Bool = true) throws -> [Row] {
        guard isKept else { return try fetchAll(db.sqlite, sql: sql, arguments: arguments.sqlite) }
        return try fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchOne(_ db: StoreConnection, sql: String, arguments: StoreArguments = []) throws -> Row? {
        try fetchOne(db.cachedStatement(sql: sql), arguments: arguments)
    }

    static func fetchAll(_ statement: StoreStatement, arguments: StoreArguments) throws -> [Row] {
        try fetchAll(statement.sqlite, arguments: arguments.sqlite)
    }

    static func fetchOne(_ statement: StoreStatement, arguments: StoreArguments) throws -> Row? {
        try fetchOne(statement.sqlite, arguments: arguments.sqlite)
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
        try fetchAll(statement.sqlite, arguments: arguments.sqlite)
    }

    static func fetchOne(_ statement: StoreStatement, arguments: StoreArguments) throws -> Self? {
        try fetchOne(statement.sqlite, arguments: arguments.sqlite)
    }
}
