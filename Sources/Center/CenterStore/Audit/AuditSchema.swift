// SPDX-License-Identifier: Apache-2.0

import GRDB

/// The audit log in the store.
extension Schema {
    static func registerAudit(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("audit 1 a log of hashes") { db in
            try db.execute(sql: audit(bytes: "BLOB", number: "INTEGER", text: "TEXT", end: " STRICT"))
        }
    }

    /// `seq`: without a gap, given by who adds an entry; no two transactions can add to the same end. `hash`: ``AuditEntry``.
    static func audit(bytes: String, number: String, text: String, end: String) -> String {
        """
        CREATE TABLE audit (
          seq \(number) PRIMARY KEY,
          time_ms \(number) NOT NULL,
          actor \(text) NOT NULL,
          action \(text) NOT NULL,
          subject \(text) NOT NULL,
          detail \(text) NOT NULL,
          hash \(bytes) NOT NULL
        )\(end);
        CREATE INDEX audit_of_subject ON audit(subject, seq);
        CREATE INDEX audit_by_age ON audit(time_ms);
        CREATE INDEX audit_checkpoints ON audit(seq) WHERE action = 'audit-pruned';
        """
    }
}
