// SPDX-License-Identifier: Apache-2.0

import GRDB

/// The connection that a transaction runs on. The statements of the store are written once, for every database that it may lie in;
/// arguments, rows and their columns are GRDB's values whatever the database is.
struct StoreConnection {
    let sqlite: Database

    /// A statement that is kept for the connection's life: SQLite takes longer to read the text of most than to run them. The texts are
    /// written in the code, so there is a bounded number of them.
    func cachedStatement(sql: String) throws -> StoreStatement {
        StoreStatement(sqlite: try sqlite.cachedStatement(sql: sql))
    }

    /// Runs a statement; or, without arguments, several that are separated by semicolons.
    func execute(sql: String, arguments: StoreArguments = []) throws {
        if arguments.values.isEmpty { return try sqlite.execute(sql: sql) }
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// The number of the row that was added last.
    var lastInsertedRowID: Int64 { sqlite.lastInsertedRowID }

    /// How many rows the last statement inserted, changed or deleted.
    var changesCount: Int { sqlite.changesCount }
}

/// A statement of a connection.
struct StoreStatement {
    let sqlite: Statement

    func execute(arguments: StoreArguments) throws { try sqlite.execute(arguments: arguments.sqlite) }
}

/// The arguments of a statement, in their order.
struct StoreArguments: ExpressibleByArrayLiteral {
    var values: [DatabaseValue]

    init(_ values: some Sequence<any DatabaseValueConvertible>) {
        self.values = values.map(\.databaseValue)
    }

    init(arrayLiteral elements: (any DatabaseValueConvertible)?...) {
        values = elements.map { $0?.databaseValue ?? .null }
    }

    static func + (left: StoreArguments, right: StoreArguments) -> StoreArguments {
        var sum = left
        sum.values += right.values
        return sum
    }

    /// As optionals: of values alone, GRDB takes each through a key path, which takes longer than most statements.
    var sqlite: StatementArguments { StatementArguments(values.map { $0 as (any DatabaseValueConvertible)? }) }
}
