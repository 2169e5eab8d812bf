// SPDX-License-Identifier: Apache-2.0

import GRDB

/// The tables of the store, as steps that are only ever added to.
enum HostStoreSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: seen, quota, spool, refused, outcomes") { db in
            try db.execute(
                sql: """
                    CREATE TABLE seen (
                        packet_id TEXT PRIMARY KEY NOT NULL, last_ms INTEGER NOT NULL, is_signature INTEGER NOT NULL,
                        code_key BLOB NOT NULL, sketch BLOB NOT NULL, parameters_key BLOB NOT NULL, fields BLOB NOT NULL
                    ) STRICT;
                    CREATE INDEX seen_code ON seen (code_key);
                    CREATE INDEX seen_parameters ON seen (parameters_key);
                    CREATE TABLE quota_use (time_ms INTEGER NOT NULL) STRICT;
                    CREATE TABLE spool (
                        sequence INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, packet_id TEXT NOT NULL,
                        destination TEXT NOT NULL, encoded BLOB NOT NULL, UNIQUE (packet_id, destination)
                    ) STRICT;
                    CREATE TABLE refused (
                        number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, packet_id TEXT NOT NULL,
                        destination TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, time_ms INTEGER NOT NULL,
                        encoded BLOB NOT NULL, UNIQUE (packet_id, destination)
                    ) STRICT;
                    CREATE TABLE outcome (
                        day INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (day, name)
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("2: what a use weighs, packets that wait for the quota, counts that centers were told") { db in
            try db.execute(
                sql: """
                    ALTER TABLE quota_use ADD COLUMN points INTEGER NOT NULL DEFAULT 100;
                    ALTER TABLE quota_use ADD COLUMN program INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE quota_use ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE quota_use ADD COLUMN is_reserve INTEGER NOT NULL DEFAULT 0;
                    CREATE TABLE held (
                        packet_id TEXT PRIMARY KEY NOT NULL, time_ms INTEGER NOT NULL, points INTEGER NOT NULL,
                        program INTEGER NOT NULL, owner INTEGER NOT NULL, destinations TEXT NOT NULL, encoded BLOB NOT NULL
                    ) STRICT;
                    CREATE TABLE told (
                        destination TEXT PRIMARY KEY NOT NULL, time_ms INTEGER NOT NULL, counts TEXT NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration("3: whose quota a packet waits for") { db in
            try db.execute(sql: "ALTER TABLE held ADD COLUMN quota_limit INTEGER")
        }
        migrator.registerMigration("4: what was put on the link") { db in
            try db.execute(
                sql: """
                    CREATE TABLE link_use (
                        number INTEGER PRIMARY KEY NOT NULL, day INTEGER NOT NULL, bytes INTEGER NOT NULL, busy_until_ms INTEGER NOT NULL
                    ) STRICT;
                    """)
        }
        return migrator
    }
}
