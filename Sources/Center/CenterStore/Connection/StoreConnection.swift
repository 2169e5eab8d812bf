// SPDX-License-Identifier: Apache-2.0

import GRDB
import PostgresStore

/// The connection that a transaction runs on. The statements of the store are written once, for every database that it may lie in;
/// arguments, rows and their columns are GRDB's values whatever the database is.
///
/// What the statements keep to, so that SQLite and PostgreSQL read them alike:
/// - arguments are `?`, or `?1`, `?2`, ... where one stands more than once; one whose type nothing tells is cast: `CAST(? AS BIGINT)`;
/// - `ON CONFLICT` names its columns, and what stands in the row is named with the table (`evidence.time_ms`);
/// - a truth value is stored as 1 or 0, and written `CASE WHEN ... THEN 1 ELSE 0 END`;
/// - a query in the place of a table has a name;
/// - the number of a row that is added comes from ``insert(sql:arguments:returning:)``;
/// - the greater of two values is ``greater(_:_:)``.
enum StoreConnection {
    case sqlite(Database)
    case postgres(PostgresConnection)

    /// A statement that is kept for the connection's life: SQLite takes longer to read the text of most than to run them. The texts are
    /// written in the code, so there is a bounded number of them.
    func cachedStatement(sql: String) throws -> StoreStatement {
        switch self {
        case .sqlite(let database): .sqlite(try database.cachedStatement(sql: sql), database)
        case .postgres(let connection): .postgres(sql, connection)
        }
    }

    /// Runs a statement; or, without arguments, several that are separated by semicolons.
    func execute(sql: String, arguments: StoreArguments = []) throws {
        if arguments.values.isEmpty {
            switch self {
            case .sqlite(let database): return try database.execute(sql: sql)
            case .postgres(let connection): return try connection.run(sql)
            }
        }
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }

    /// How many rows the last statement inserted, changed or deleted.
    var changesCount: Int {
        switch self {
        case .sqlite(let database): database.changesCount
        case .postgres(let connection): connection.changes
        }
    }

    /// Adds one row.
    ///
    /// - Parameter column: the table's number of a row, which it gives out itself.
    /// - Returns: the number that the row got.
    func insert(sql: String, arguments: StoreArguments, returning column: String) throws -> Int64 {
        try cachedStatement(sql: sql).insert(arguments: arguments, returning: column)
    }

    /// Adds one row unless there is one like it.
    ///
    /// - Parameter key: the column that no two rows have the same of.
    /// - Returns: the number that the row got; `nil`: another transaction, which ran beside this one, added one of that key. In a file,
    ///   where none does, it is an error.
    func insertIfAbsent(sql: String, arguments: StoreArguments, conflict key: String, returning column: String) throws -> Int64? {
        switch self {
        case .sqlite: return try insert(sql: sql, arguments: arguments, returning: column)
        case .postgres(let connection):
            let sql = "\(sql) ON CONFLICT (\(key)) DO NOTHING RETURNING \(column)"
            let result = try connection.execute(sql, arguments.postgres)
            guard result.rowCount > 0, case .integer(let number) = try result.value(0, 0) else { return nil }
            return number
        }
    }

    /// An SQL condition: an expression has that truth value. By it, an index over the expression is used.
    func condition(_ expression: String, is value: Bool) -> String {
        switch self {
        case .sqlite: "(\(expression)) = \(value ? 1 : 0)"
        case .postgres: value ? "(\(expression))" : "NOT (\(expression))"
        }
    }

    /// A column, not to be looked for by an index. PostgreSQL knows by its statistics which index is of use.
    func unindexed(_ column: String) -> String {
        switch self {
        case .sqlite: "+\(column)"
        case .postgres: column
        }
    }

    /// The greater of two values; neither is NULL.
    func greater(_ first: String, _ second: String) -> String {
        switch self {
        case .sqlite: "max(\(first), \(second))"
        case .postgres: "greatest(\(first), \(second))"
        }
    }
}

/// A statement of a connection.
enum StoreStatement {
    case sqlite(Statement, Database)
    /// The connection keeps it by its text.
    case postgres(String, PostgresConnection)

    func execute(arguments: StoreArguments) throws {
        switch self {
        case .sqlite(let statement, _): try statement.execute(arguments: arguments.sqlite)
        case .postgres(let sql, let connection): try connection.execute(sql, arguments.postgres)
        }
    }

    /// See ``StoreConnection/insert(sql:arguments:returning:)``.
    func insert(arguments: StoreArguments, returning column: String) throws -> Int64 {
        switch self {
        case .sqlite(let statement, let database):
            try statement.execute(arguments: arguments.sqlite)
            return database.lastInsertedRowID
        case .postgres(let sql, let connection):
            let result = try connection.execute("\(sql) RETURNING \(column)", arguments.postgres)
            guard result.rowCount == 1, case .integer(let number) = try result.value(0, 0) else {
                throw PostgresFailure.damaged(message: "a row that was added has no number \(column)")
            }
            return number
        }
    }
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

    var postgres: [PostgresValue] { values.map(PostgresValue.init) }
}

extension PostgresValue {
    fileprivate init(_ value: DatabaseValue) {
        self =
            switch value.storage {
            case .null: .null
            case .int64(let number): .integer(number)
            case .double(let number): .real(number)
            case .string(let text): .text(text)
            case .blob(let bytes): .bytes(bytes)
            }
    }
}

extension PostgresResult {
    /// All rows as GRDB's. What no column of a store can be as an argument, none is as a value.
    func rows() throws -> [Row] {
        try (0..<rowCount).map { row in
            Row(try Dictionary(columns.indices.map { (columns[$0], try databaseValue(row, $0)) }) { first, _ in first })
        }
    }

    func databaseValue(_ row: Int, _ column: Int) throws(PostgresFailure) -> DatabaseValue {
        switch try value(row, column) {
        case .integer(let number): number.databaseValue
        case .real(let number): number.databaseValue
        case .text(let text): text.databaseValue
        case .bytes(let bytes): bytes.databaseValue
        case .null, .integers, .reals, .texts, .byteStrings: .null
        }
    }
}
