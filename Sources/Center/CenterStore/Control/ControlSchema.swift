// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What people decided about updates, beside withdrawals.
extension Schema {
    static func registerControl(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("control 1 approvals, pins and what is allowed") { db in
            try db.execute(sql: control(bytes: "BLOB", number: "INTEGER", text: "TEXT", end: " STRICT"))
        }
    }

    /// `approvals`: signatures that a person approved. `pins.expires_ms`: when the update's lifetime was to be over. `allowances.bytes`: of
    /// allowed code, as far as the center has it.
    static func control(bytes: String, number: String, text: String, end: String) -> String {
        """
        CREATE TABLE approvals (
          signature_id \(text) PRIMARY KEY,
          time_ms \(number) NOT NULL
        )\(end);
        CREATE TABLE pins (
          signature_id \(text) PRIMARY KEY,
          reason \(text) NOT NULL,
          time_ms \(number) NOT NULL,
          expires_ms \(number) NOT NULL
        )\(end);
        CREATE TABLE allowances (
          kind \(text) NOT NULL,
          value \(text) NOT NULL,
          reason \(text) NOT NULL,
          actor \(text) NOT NULL,
          time_ms \(number) NOT NULL,
          bytes \(bytes),
          PRIMARY KEY (kind, value)
        )\(end);
        CREATE INDEX deliveries_held ON deliveries(target, id) WHERE state IN ('waiting-approval', 'observed');
        """
    }
}
