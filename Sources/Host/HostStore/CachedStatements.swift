// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Each packet asks the store the same some twenty questions: each is compiled once for a connection.
extension Database {
    /// Executes a statement, which is kept compiled.
    func executeCached(sql: String, arguments: StatementArguments = StatementArguments()) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }
}
