// SPDX-License-Identifier: Apache-2.0

import GRDB

/// The store's schema as a list of migrations that only grows: a released entry is never edited, so state words are
/// literals here and come from their enums (``StoredWord``) everywhere else.
enum Schema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 the chain from report to rule") { db in
            try db.execute(sql: reports)
            try db.execute(sql: clusters)
            try db.execute(sql: updates)
            try db.execute(sql: forwards)
            try db.execute(sql: bookkeeping)
            try db.execute(sql: enrolment)
        }
        migrator.registerMigration("2 proofs beside the chain") { db in
            try db.execute(sql: proofs)
        }
        migrator.registerMigration("3 quota uses by kind and id") { db in
            try db.execute(sql: quotaItems)
        }
        migrator.registerMigration("4 what hosts withheld") { db in
            try db.execute(sql: withheld)
        }
        migrator.registerMigration("5 rules of several signatures") { db in
            try db.execute(sql: rules)
        }
        migrator.registerMigration("6 code once, arrivals apart from their analysis") { db in
            try db.execute(sql: arrivals)
        }
        registerFeed(in: &migrator)
        registerSums(in: &migrator)
        migrator.registerMigration("11 arrivals with their source") { db in
            // The address that a host's connection came from; NULL: it isn't known, or a site passed the packet on.
            try db.execute(sql: "ALTER TABLE reports ADD COLUMN source TEXT")
        }
        registerPublication(in: &migrator)
        registerRations(in: &migrator)
        migrator.registerMigration("18 certificates' times of issue") { db in try db.execute(sql: certificates) }
        migrator.registerMigration("19 tokens that were taken back") { db in
            // When whom the token was made for was revoked; before, such a token was deleted.
            try db.execute(sql: "ALTER TABLE tokens ADD COLUMN revoked_ms INTEGER")
        }
        migrator.registerMigration("20 when and where peers were seen") { db in try db.execute(sql: sightings) }
        migrator.registerMigration("21 authorities of certificates") { db in
            // The fingerprint of the authority of the certificate that it was seen with, in hexadecimal digits; NULL: of before.
            try db.execute(sql: "ALTER TABLE sightings ADD COLUMN authority TEXT")
        }
        migrator.registerMigration("22 tokens for several hosts") { db in try db.execute(sql: groupTokens) }
        migrator.registerMigration("23 what sites conclude") { db in
            // A site's conclusion, as JSON: of a forward that goes out, and of a report that came in; NULL: none was drawn, or said.
            try db.execute(sql: "ALTER TABLE forwards ADD COLUMN conclusion TEXT")
            try db.execute(sql: "ALTER TABLE reports ADD COLUMN conclusion TEXT")
        }
        registerCountedPackets(in: &migrator)
        migrator.registerMigration("25 what hosts judge") { db in
            // The applications of behaviour blocking that were on when a host was seen last; NULL: it didn't say.
            try db.execute(sql: "ALTER TABLE sightings ADD COLUMN applications TEXT")
        }
        registerHandout(in: &migrator)
        registerPeerFeed(in: &migrator)
        registerAudit(in: &migrator)
        registerNotices(in: &migrator)
        registerControl(in: &migrator)
        return migrator
    }

    /// What came in: packets of hosts, packets and updates that sites forward. `state`: stored, analysed, unusable.
    private static let reports = """
        CREATE TABLE reports (
          seq INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          kind TEXT NOT NULL,
          role TEXT NOT NULL,
          name TEXT NOT NULL,
          host TEXT,
          received_ms INTEGER NOT NULL,
          packet BLOB,
          signature TEXT,
          state TEXT NOT NULL DEFAULT 'stored',
          reason TEXT,
          kinds TEXT NOT NULL DEFAULT '',
          cluster_id INTEGER REFERENCES clusters(id) ON DELETE SET NULL
        ) STRICT;
        CREATE INDEX reports_waiting ON reports(seq) WHERE state = 'stored';
        CREATE INDEX reports_of_cluster ON reports(cluster_id, seq);
        CREATE INDEX reports_by_age ON reports(received_ms);
        """

    /// One row of evidence a cluster, reporter and kind: each kind counts once a reporter, so only the latest matters.
    private static let clusters = """
        CREATE TABLE clusters (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          signature_id TEXT NOT NULL UNIQUE,
          signature TEXT NOT NULL,
          created_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE evidence (
          cluster_id INTEGER NOT NULL REFERENCES clusters(id) ON DELETE CASCADE,
          reporter TEXT NOT NULL,
          kind TEXT NOT NULL,
          points INTEGER NOT NULL,
          time_ms INTEGER NOT NULL,
          PRIMARY KEY (cluster_id, reporter, kind)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX evidence_by_age ON evidence(time_ms);
        """

    private static let updates = """
        CREATE TABLE updates (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          signature_id TEXT NOT NULL,
          revision INTEGER NOT NULL,
          origin TEXT NOT NULL,
          sequence INTEGER UNIQUE,
          cluster_id INTEGER REFERENCES clusters(id) ON DELETE SET NULL,
          body TEXT NOT NULL,
          state TEXT NOT NULL,
          reason TEXT,
          created_ms INTEGER NOT NULL,
          expires_ms INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX updates_of_signature ON updates(signature_id, id);
        CREATE INDEX updates_by_state ON updates(state, expires_ms);
        CREATE TABLE sids (
          signature_id TEXT PRIMARY KEY,
          sid INTEGER NOT NULL UNIQUE
        ) STRICT;
        CREATE TABLE deliveries (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          update_id INTEGER NOT NULL REFERENCES updates(id) ON DELETE CASCADE,
          target TEXT NOT NULL,
          state TEXT NOT NULL,
          reason TEXT,
          attempts INTEGER NOT NULL DEFAULT 0,
          changed_ms INTEGER NOT NULL,
          UNIQUE (update_id, target)
        ) STRICT;
        CREATE INDEX deliveries_by_state ON deliveries(target, state, id);
        CREATE TABLE withdrawals (
          signature_id TEXT PRIMARY KEY,
          reason TEXT NOT NULL,
          time_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE feed (
          sequence INTEGER PRIMARY KEY AUTOINCREMENT,
          body TEXT NOT NULL
        ) STRICT;
        """

    /// One row a cluster that reached the threshold: `pending` from then until its signatures are made and proven,
    /// and again whenever more packets ask for it. `samples`: the packets that it held at the last proof; `material`:
    /// what that was made with.
    private static let proofs = """
        CREATE TABLE proofs (
          cluster_id INTEGER PRIMARY KEY REFERENCES clusters(id) ON DELETE CASCADE,
          state TEXT NOT NULL,
          samples INTEGER NOT NULL DEFAULT 0,
          material TEXT NOT NULL DEFAULT ''
        ) STRICT;
        CREATE INDEX proofs_pending ON proofs(cluster_id) WHERE state = 'pending';
        CREATE INDEX updates_of_cluster ON updates(cluster_id, id);
        """

    private static let forwards = """
        CREATE TABLE forwards (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          report_seq INTEGER NOT NULL UNIQUE REFERENCES reports(seq) ON DELETE CASCADE,
          cluster_id INTEGER NOT NULL,
          kinds TEXT NOT NULL,
          state TEXT NOT NULL,
          reason TEXT,
          attempts INTEGER NOT NULL DEFAULT 0,
          created_ms INTEGER NOT NULL,
          changed_ms INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX forwards_by_state ON forwards(state, id);
        CREATE INDEX forwards_of_cluster ON forwards(cluster_id);
        """

    private static let bookkeeping = """
        CREATE TABLE quota_uses (
          quota TEXT NOT NULL,
          subject TEXT NOT NULL,
          time_ms INTEGER NOT NULL,
          PRIMARY KEY (quota, subject)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE marks (
          name TEXT PRIMARY KEY,
          value TEXT NOT NULL
        ) STRICT;
        CREATE TABLE events (
          seq INTEGER PRIMARY KEY AUTOINCREMENT,
          time_ms REAL NOT NULL,
          step TEXT NOT NULL,
          subject TEXT NOT NULL,
          detail TEXT NOT NULL
        ) STRICT;
        CREATE INDEX events_of_subject ON events(subject, seq);
        CREATE INDEX events_by_age ON events(time_ms);
        """

    /// Uses were keyed by the texts "delivery 7" and "forward 7".
    private static let quotaItems = """
        CREATE TABLE quota_uses_by_item (
          quota TEXT NOT NULL,
          item_kind TEXT NOT NULL,
          item INTEGER NOT NULL,
          time_ms INTEGER NOT NULL,
          PRIMARY KEY (item_kind, item, quota)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO quota_uses_by_item (quota, item_kind, item, time_ms)
          SELECT quota, substr(subject, 1, instr(subject, ' ') - 1),
            CAST(substr(subject, instr(subject, ' ') + 1) AS INTEGER), time_ms FROM quota_uses;
        DROP TABLE quota_uses;
        ALTER TABLE quota_uses_by_item RENAME TO quota_uses;
        CREATE INDEX quota_uses_by_time ON quota_uses(quota, time_ms);
        """

    /// The latest counts of each host, and when an event last told of them.
    private static let withheld = """
        CREATE TABLE withheld (
          name TEXT PRIMARY KEY,
          counts TEXT NOT NULL,
          time_ms INTEGER NOT NULL,
          event_ms INTEGER
        ) STRICT;
        """

    /// A rule keeps its number over the signatures that revise it, one after the other. Before, each signature had a number of
    /// its own. `replaced_by`: an update of another signature that takes this one's place once it is in force. `because_of`: the
    /// signature that a person withdrew, where this one is a revision of it.
    private static let rules = """
        CREATE TABLE rules (
          id INTEGER PRIMARY KEY AUTOINCREMENT,
          sid INTEGER UNIQUE
        ) STRICT;
        INSERT INTO rules (id, sid)
          SELECT min(u.id), s.sid FROM updates u LEFT JOIN sids s ON s.signature_id = u.signature_id GROUP BY u.signature_id;
        INSERT INTO rules (sid)
          SELECT sid FROM sids WHERE sid NOT IN (SELECT sid FROM rules WHERE sid IS NOT NULL) ORDER BY sid;
        DROP TABLE sids;
        ALTER TABLE updates ADD COLUMN rule_id INTEGER REFERENCES rules(id);
        UPDATE updates SET rule_id = (SELECT min(v.id) FROM updates v WHERE v.signature_id = updates.signature_id);
        ALTER TABLE updates ADD COLUMN replaced_by INTEGER REFERENCES updates(id);
        CREATE INDEX updates_of_rule ON updates(rule_id, id);
        CREATE INDEX updates_replaced ON updates(replaced_by) WHERE replaced_by IS NOT NULL;
        ALTER TABLE feed ADD COLUMN revises TEXT NOT NULL DEFAULT '';
        ALTER TABLE withdrawals ADD COLUMN because_of TEXT;
        """

    /// An arrival is one small row that never changes; what the analysis makes of it stands in `analyses`, and until then its
    /// number in `waiting_reports`. `bodies`: code by its SHA-256, once however many report it. `packet`: the packet as it came
    /// in; with a `body_id` without the code's bytes, which belong at `body_at`. Rows of before have their packets whole.
    private static let arrivals = """
        CREATE TABLE bodies (
          id INTEGER PRIMARY KEY,
          hash BLOB NOT NULL UNIQUE,
          bytes BLOB NOT NULL
        ) STRICT;
        CREATE TABLE analyses (
          report_seq INTEGER PRIMARY KEY REFERENCES reports(seq) ON DELETE CASCADE,
          state TEXT NOT NULL,
          reason TEXT,
          kinds TEXT NOT NULL DEFAULT '',
          cluster_id INTEGER REFERENCES clusters(id) ON DELETE SET NULL,
          is_packet INTEGER NOT NULL
        ) STRICT;
        INSERT INTO analyses (report_seq, state, reason, kinds, cluster_id, is_packet)
          SELECT seq, state, reason, kinds, cluster_id, packet IS NOT NULL FROM reports WHERE state <> 'stored';
        CREATE TABLE waiting_reports (
          report_seq INTEGER PRIMARY KEY REFERENCES reports(seq) ON DELETE CASCADE
        ) STRICT;
        INSERT INTO waiting_reports (report_seq) SELECT seq FROM reports WHERE state = 'stored';
        CREATE TABLE arrivals (
          seq INTEGER PRIMARY KEY AUTOINCREMENT,
          id TEXT NOT NULL UNIQUE,
          kind TEXT NOT NULL,
          role TEXT NOT NULL,
          name TEXT NOT NULL,
          host TEXT,
          received_ms INTEGER NOT NULL,
          packet BLOB,
          body_id INTEGER REFERENCES bodies(id),
          body_at INTEGER,
          signature TEXT
        ) STRICT;
        INSERT INTO arrivals (seq, id, kind, role, name, host, received_ms, packet, signature)
          SELECT seq, id, kind, role, name, host, received_ms, packet, signature FROM reports ORDER BY seq;
        DELETE FROM sqlite_sequence WHERE name = 'arrivals';
        INSERT INTO sqlite_sequence (name, seq) SELECT 'arrivals', seq FROM sqlite_sequence WHERE name = 'reports';
        DROP TABLE reports;
        ALTER TABLE arrivals RENAME TO reports;
        CREATE INDEX reports_by_age ON reports(received_ms);
        CREATE INDEX reports_of_body ON reports(body_id) WHERE body_id IS NOT NULL;
        CREATE INDEX analyses_of_cluster ON analyses(cluster_id, is_packet, report_seq);
        """

    /// What was last seen of each peer. `until_ms`: the end of its certificate; `shared_ms`: when it was last told that two machines have it.
    private static let sightings = """
        CREATE TABLE sightings (
          role TEXT NOT NULL,
          name TEXT NOT NULL,
          seen_ms INTEGER NOT NULL,
          address TEXT,
          version TEXT,
          protection TEXT,
          until_ms INTEGER NOT NULL,
          shared_ms INTEGER,
          PRIMARY KEY (role, name)
        ) STRICT;
        """

    /// `latest_ms`: the latest time of issue of a peer's certificates, by the clock of then. `issued_until_ms`: a revocation covers
    /// those that were issued up to then; later than `time_ms` where the clock was ahead at an issue. Renewals of before are known by
    /// their events.
    private static let certificates = """
        CREATE TABLE certificates (
          role TEXT NOT NULL,
          name TEXT NOT NULL,
          latest_ms INTEGER NOT NULL,
          PRIMARY KEY (role, name)
        ) STRICT;
        INSERT INTO certificates (role, name, latest_ms)
          SELECT role, name, max(used_ms) FROM tokens WHERE used_ms IS NOT NULL GROUP BY role, name;
        UPDATE certificates SET latest_ms = max(latest_ms, coalesce(
          (SELECT CAST(max(e.time_ms) AS INTEGER) FROM events e
            WHERE e.subject = certificates.name AND e.step = 'renewed' AND e.detail = 'certificate of the ' || certificates.role), 0));
        ALTER TABLE revocations ADD COLUMN issued_until_ms INTEGER NOT NULL DEFAULT 0;
        UPDATE revocations SET issued_until_ms = time_ms;
        """

    /// A token with which up to `max_hosts` hosts can enrol, of names by the pattern `names`, from `network` (NULL: from anywhere). The two
    /// indexes find a name whatever its capitals.
    private static let groupTokens = """
        CREATE TABLE group_tokens (
          secret_hash BLOB PRIMARY KEY,
          names TEXT NOT NULL,
          network TEXT,
          max_hosts INTEGER NOT NULL,
          used INTEGER NOT NULL DEFAULT 0,
          made_ms INTEGER NOT NULL,
          expires_ms INTEGER NOT NULL,
          used_ms INTEGER,
          revoked_ms INTEGER
        ) STRICT;
        CREATE TABLE group_token_uses (
          secret_hash BLOB NOT NULL REFERENCES group_tokens(secret_hash) ON DELETE CASCADE,
          name TEXT NOT NULL,
          time_ms INTEGER NOT NULL,
          address TEXT,
          PRIMARY KEY (secret_hash, name)
        ) STRICT;
        CREATE INDEX group_token_uses_by_name ON group_token_uses(name);
        CREATE INDEX certificates_by_name ON certificates(lower(name));
        CREATE INDEX tokens_by_name ON tokens(lower(name));
        """

    private static let enrolment = """
        CREATE TABLE tokens (
          secret_hash BLOB PRIMARY KEY,
          role TEXT NOT NULL,
          name TEXT NOT NULL,
          expires_ms INTEGER NOT NULL,
          used_ms INTEGER
        ) STRICT;
        CREATE TABLE revocations (
          role TEXT NOT NULL,
          name TEXT NOT NULL,
          time_ms INTEGER NOT NULL,
          PRIMARY KEY (role, name)
        ) STRICT;
        """
}
