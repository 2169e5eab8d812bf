// SPDX-License-Identifier: Apache-2.0

import GRDB

/// What withdrawals that travel, and positions that name a feed, need in the store.
extension Schema {
    static func registerFeed(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("feed 1 withdrawals, marks and rule numbers") { db in
            try db.execute(sql: feed)
        }
    }

    static func registerPeerFeed(in migrator: inout DatabaseMigrator) {
        migrator.registerMigration("feed 2 updates of a site for its peers") { db in
            try db.execute(sql: peerFeed)
        }
    }

    /// `feed.update_id`: of an entry of a local center's feed, its own update; sequence numbers of its `updates` are the global center's.
    private static let peerFeed = """
        ALTER TABLE feed ADD COLUMN update_id INTEGER;
        CREATE INDEX feed_by_update ON feed(update_id) WHERE update_id IS NOT NULL;
        """

    /// `feed.mark`: random, with the number the name of an entry. `feed.withdraws`: the signature that an entry withdraws, which then
    /// has no body. `updates.withdrawn_from`: the state before the withdrawal. `withdrawals.feed_mark`: the mark of the global center's
    /// entry that withdrew the signature; none where a person here did. `overruled`: withdrawals of the global center that a person here
    /// lifted.
    private static let feed = """
        ALTER TABLE feed ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;
        UPDATE feed SET mark = random();
        ALTER TABLE feed ADD COLUMN withdraws TEXT;
        ALTER TABLE feed ADD COLUMN reason TEXT;
        ALTER TABLE updates ADD COLUMN withdrawn_from TEXT;
        ALTER TABLE withdrawals ADD COLUMN feed_mark INTEGER;
        CREATE TABLE overruled (
          mark INTEGER PRIMARY KEY
        ) STRICT;
        """
}
