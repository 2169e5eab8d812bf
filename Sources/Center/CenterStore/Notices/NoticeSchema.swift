// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What other systems are told of.
extension Schema {
    static func registerNotices(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("notices 1 what other systems are told") { db in
            try db.execute(sql: notices(key: "INTEGER PRIMARY KEY AUTOINCREMENT", number: "INTEGER", text: "TEXT", end: " STRICT"))
        }
    }

    /// `notices`: one row for each notice that a destination has not taken yet; `due_ms`: when it is told, until which repeats of its kind
    /// are added to it; `body`: the notice as JSON. `notice_windows`: until when repeats of a kind are gathered. `notice_destinations`: one
    /// row for each destination that was told something, or could not be; `dropped_told`: how many of those that were dropped an event
    /// tells of.
    static func notices(key: String, number: String, text: String, end: String) -> String {
        """
        CREATE TABLE notices (
          id \(key),
          destination \(text) NOT NULL,
          kind \(text) NOT NULL,
          severity \(number) NOT NULL,
          due_ms \(number) NOT NULL,
          body \(text) NOT NULL
        )\(end);
        CREATE INDEX notices_of_destination ON notices(destination, due_ms);
        CREATE INDEX notices_by_severity ON notices(destination, severity, id);
        CREATE TABLE notice_windows (
          destination \(text) NOT NULL,
          kind \(text) NOT NULL,
          until_ms \(number) NOT NULL,
          PRIMARY KEY (destination, kind)
        )\(end);
        CREATE TABLE notice_destinations (
          name \(text) PRIMARY KEY,
          told \(number) NOT NULL DEFAULT 0,
          refused \(number) NOT NULL DEFAULT 0,
          dropped \(number) NOT NULL DEFAULT 0,
          dropped_told \(number) NOT NULL DEFAULT 0,
          dropped_told_ms \(number),
          failures \(number) NOT NULL DEFAULT 0,
          success_ms \(number),
          failure_ms \(number),
          failure_code \(text),
          failure \(text)
        )\(end);
        """
    }
}
