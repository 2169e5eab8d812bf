// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What a global center knows of those who report to it.
extension Schema {
    static func registerPublication(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("12 networks of reporters, and trust in them") { db in try db.execute(sql: peers) }
    }

    /// `networks`: those that the reporter was seen from, separated by spaces.
    private static let peers = """
        CREATE TABLE peers (
          reporter TEXT PRIMARY KEY,
          networks TEXT NOT NULL DEFAULT '',
          is_trusted INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX proofs_waiting ON proofs(cluster_id) WHERE state = 'waiting';
        """
}
