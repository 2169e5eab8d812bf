// SPDX-License-Identifier: Apache-2.0

import GRDB

extension Schema {
    static func registerSums(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("8 evidence with its sums") { db in try db.execute(sql: sums) }
        migrator.registerMigration("9 quota uses with the reporter") { db in
            // On whose word alone the use rests; NULL: on more than one's.
            try db.execute(sql: "ALTER TABLE quota_uses ADD COLUMN sole_reporter TEXT")
        }
        migrator.registerMigration("10 proofs with the reporter") { db in
            // The same of the cluster's first request.
            try db.execute(sql: "ALTER TABLE proofs ADD COLUMN sole_reporter TEXT")
            try db.execute(sql: "CREATE INDEX proofs_of_reporter ON proofs(sole_reporter) WHERE sole_reporter IS NOT NULL")
        }
        migrator.registerMigration("11 reporters counted anew when evidence is removed") { db in
            try db.execute(sql: reportersAnew)
        }
    }

    static func registerCountedPackets(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("24 packets that count each") { db in try db.execute(sql: countedPackets) }
    }

    /// Filled only where each packet counts (`counts_packets` of a sum says that it was made so); cluster 0 is the whole site.
    private static let countedPackets = """
        CREATE TABLE counted_packets (
          cluster_id INTEGER NOT NULL,
          reporter TEXT NOT NULL,
          report_seq INTEGER NOT NULL,
          points INTEGER NOT NULL,
          time_ms INTEGER NOT NULL,
          counted INTEGER NOT NULL DEFAULT 0,
          PRIMARY KEY (cluster_id, reporter, report_seq)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX counted_packets_by_age ON counted_packets(time_ms);
        CREATE INDEX counted_packets_counted ON counted_packets(cluster_id, time_ms) WHERE counted = 1;
        ALTER TABLE cluster_sums ADD COLUMN counts_packets INTEGER NOT NULL DEFAULT 0;
        CREATE TRIGGER cluster_removed_with_packets AFTER DELETE ON clusters
          BEGIN DELETE FROM counted_packets WHERE cluster_id = old.id; END;
        """

    /// Also evidence that no longer counts names a reporter: one that comes back must not be counted as another.
    private static let reportersAnew = """
        DROP TRIGGER evidence_removed;
        CREATE TRIGGER evidence_removed AFTER DELETE ON evidence
          BEGIN UPDATE cluster_sums SET start_ms = 9223372036854775807 WHERE cluster_id = old.cluster_id; END;
        """

    /// Evidence also of the whole site, as cluster 0; `counted`: its points are part of the sum. A row of `cluster_sums` is what a
    /// cluster's evidence adds up to that is later than `start_ms`, and none of it is older than `oldest_ms`; `cap`: the most points
    /// of a reporter. A `start_ms` that no time reaches says that the sum is to be made anew.
    private static let sums = """
        CREATE TABLE summed_evidence (
          cluster_id INTEGER NOT NULL,
          reporter TEXT NOT NULL,
          kind TEXT NOT NULL,
          points INTEGER NOT NULL,
          time_ms INTEGER NOT NULL,
          counted INTEGER NOT NULL DEFAULT 0,
          PRIMARY KEY (cluster_id, reporter, kind)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO summed_evidence (cluster_id, reporter, kind, points, time_ms)
          SELECT cluster_id, reporter, kind, points, time_ms FROM evidence;
        DROP TABLE evidence;
        ALTER TABLE summed_evidence RENAME TO evidence;
        CREATE INDEX evidence_by_age ON evidence(time_ms);
        CREATE INDEX evidence_counted ON evidence(cluster_id, kind, time_ms) WHERE counted = 1;
        CREATE TABLE cluster_sums (
          cluster_id INTEGER PRIMARY KEY,
          points INTEGER NOT NULL DEFAULT 0,
          reporters INTEGER NOT NULL DEFAULT 0,
          oldest_ms INTEGER NOT NULL DEFAULT 0,
          start_ms INTEGER NOT NULL DEFAULT 9223372036854775807,
          cap INTEGER NOT NULL DEFAULT 0,
          known_reporters INTEGER NOT NULL DEFAULT 0,
          first_reporter TEXT,
          packets INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        INSERT INTO cluster_sums (cluster_id, known_reporters, first_reporter, packets)
          SELECT id, (SELECT count(DISTINCT reporter) FROM evidence WHERE cluster_id = clusters.id),
            (SELECT reporter FROM evidence WHERE cluster_id = clusters.id ORDER BY time_ms LIMIT 1),
            (SELECT count(*) FROM analyses WHERE cluster_id = clusters.id AND is_packet = 1) FROM clusters;
        CREATE TRIGGER evidence_removed AFTER DELETE ON evidence WHEN old.counted = 1
          BEGIN UPDATE cluster_sums SET start_ms = 9223372036854775807 WHERE cluster_id = old.cluster_id; END;
        CREATE TRIGGER cluster_removed AFTER DELETE ON clusters
          BEGIN DELETE FROM cluster_sums WHERE cluster_id = old.id; END;
        """
}
