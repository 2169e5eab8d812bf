// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What rations are counted by, and what waits for one.
extension Schema {
    static func registerRations(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("13 machines of reporters") { db in try db.execute(sql: machines) }
        migrator.registerMigration("14 what waits for a quota, by weight") { db in try db.execute(sql: quotaQueue) }
        migrator.registerMigration("15 requested proofs by weight") { db in try db.execute(sql: weighedProofs) }
        migrator.registerMigration("16 turns of reports") { db in
            // Reports of before go first, in the order in which they came.
            try db.execute(sql: "ALTER TABLE waiting_reports ADD COLUMN turn INTEGER NOT NULL DEFAULT 0")
            try db.execute(sql: "CREATE INDEX waiting_turns ON waiting_reports(turn)")
        }
        migrator.registerMigration("17 what waits for the quota of publications") { db in
            try db.execute(sql: publicationQueue)
        }
    }

    /// `machine`: where evidence was reported from (``Correlation/ReportSource``); NULL: it isn't known. The other columns are what
    /// `first_reporter` and `sole_reporter` are beside it.
    private static let machines = """
        ALTER TABLE evidence ADD COLUMN machine TEXT;
        CREATE INDEX evidence_of_machine ON evidence(cluster_id, machine) WHERE machine IS NOT NULL;
        ALTER TABLE cluster_sums ADD COLUMN first_machine TEXT;
        ALTER TABLE quota_uses ADD COLUMN sole_machine TEXT;
        ALTER TABLE proofs ADD COLUMN sole_machine TEXT;
        CREATE INDEX shared_clusters ON cluster_sums(cluster_id) WHERE known_reporters > 1;
        CREATE INDEX proofs_of_machine ON proofs(sole_machine) WHERE sole_machine IS NOT NULL;
        """

    /// `reporters`, `points`: what a cluster weighs whose proof is requested.
    private static let weighedProofs = """
        ALTER TABLE proofs ADD COLUMN reporters INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE proofs ADD COLUMN points INTEGER NOT NULL DEFAULT 0;
        UPDATE proofs SET reporters = s.known_reporters, points = s.points FROM cluster_sums s WHERE s.cluster_id = proofs.cluster_id;
        DROP INDEX proofs_pending;
        CREATE INDEX proofs_pending ON proofs(reporters DESC, points DESC, cluster_id) WHERE state = 'pending';
        """

    /// Exactly the items that wait for a use of a quota, with what they weigh (``Correlation/FairQuota/Item``), so that those that are
    /// next are found without the others.
    private static let quotaQueue = """
        CREATE TABLE quota_queue (
          item_kind TEXT NOT NULL,
          item INTEGER NOT NULL,
          quota TEXT NOT NULL,
          cluster_id INTEGER,
          reporters INTEGER NOT NULL,
          points INTEGER NOT NULL,
          sole_reporter TEXT,
          sole_machine TEXT,
          PRIMARY KEY (item_kind, item)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX quota_queue_by_weight ON quota_queue(quota, sole_reporter IS NULL, reporters DESC, points DESC, item);
        CREATE INDEX quota_queue_of_reporter ON quota_queue(quota, sole_reporter, reporters DESC, points DESC, item)
          WHERE sole_reporter IS NOT NULL;
        CREATE INDEX quota_queue_of_machine ON quota_queue(quota, sole_machine) WHERE sole_machine IS NOT NULL;
        CREATE INDEX quota_queue_of_cluster ON quota_queue(cluster_id) WHERE cluster_id IS NOT NULL;
        INSERT INTO quota_queue (item_kind, item, quota, cluster_id, reporters, points, sole_reporter)
          SELECT 'delivery', d.id,
            CASE WHEN d.target = 'global' THEN 'reported-updates' WHEN u.origin = 'global' THEN 'global-updates' ELSE 'updates' END,
            u.cluster_id, coalesce(s.known_reporters, 0), coalesce(s.points, 0), iif(s.known_reporters = 1, s.first_reporter, NULL)
          FROM deliveries d JOIN updates u ON u.id = d.update_id LEFT JOIN cluster_sums s ON s.cluster_id = u.cluster_id
          WHERE d.state = 'waiting-quota';
        INSERT INTO quota_queue (item_kind, item, quota, cluster_id, reporters, points, sole_reporter)
          SELECT 'forward', f.id, 'forwards', f.cluster_id, coalesce(s.known_reporters, 0), coalesce(s.points, 0),
            iif(s.known_reporters = 1, s.first_reporter, NULL)
          FROM forwards f LEFT JOIN cluster_sums s ON s.cluster_id = f.cluster_id WHERE f.state = 'waiting-quota';
        CREATE TRIGGER delivery_unqueued AFTER UPDATE OF state ON deliveries
          WHEN old.state = 'waiting-quota' AND new.state <> 'waiting-quota'
          BEGIN DELETE FROM quota_queue WHERE item_kind = 'delivery' AND item = old.id; END;
        CREATE TRIGGER delivery_removed AFTER DELETE ON deliveries WHEN old.state = 'waiting-quota'
          BEGIN DELETE FROM quota_queue WHERE item_kind = 'delivery' AND item = old.id; END;
        CREATE TRIGGER forward_unqueued AFTER UPDATE OF state ON forwards
          WHEN old.state = 'waiting-quota' AND new.state <> 'waiting-quota'
          BEGIN DELETE FROM quota_queue WHERE item_kind = 'forward' AND item = old.id; END;
        CREATE TRIGGER forward_removed AFTER DELETE ON forwards WHEN old.state = 'waiting-quota'
          BEGIN DELETE FROM quota_queue WHERE item_kind = 'forward' AND item = old.id; END;
        """

    private static let publicationQueue = """
        CREATE TRIGGER proof_unqueued AFTER UPDATE OF state ON proofs
          WHEN old.state = 'waiting-quota' AND new.state <> 'waiting-quota'
          BEGIN DELETE FROM quota_queue WHERE item_kind = 'proof' AND item = old.cluster_id; END;
        CREATE TRIGGER proof_removed AFTER DELETE ON proofs WHEN old.state = 'waiting-quota'
          BEGIN DELETE FROM quota_queue WHERE item_kind = 'proof' AND item = old.cluster_id; END;
        """
}
