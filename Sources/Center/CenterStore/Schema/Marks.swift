// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Single values that the store keeps by name.
enum Mark: String, CaseIterable {
    /// The digest of the rules that the IDS confirmed last.
    case confirmedRules = "rule-set"
    /// The sequence number of the last update that was taken from the global center.
    case subscriptionCursor = "subscription-cursor"
    /// How many entries of the global center's feed were passed over since it was last read from its beginning.
    case passedOver = "feed-passed-over"
    /// The quotas' limits, as JSON, that the center runs with.
    case quotaLimits = "quota-limits"
    /// Of a store in PostgreSQL: the kind of the center, and the fingerprint of its authority.
    case center
    /// Of a store in a file that is, or was to be, moved into PostgreSQL: which one it is.
    case storeName = "store-name"
    /// Of a store in PostgreSQL that came out of a file: which one, and how far that had come.
    case moved
    /// The fingerprint of the authority that is to follow, which a machine of the center has made.
    case nextAuthority = "next-authority"
    /// The fingerprints of the authorities that were retired, the latest last, with spaces between.
    case retiredAuthorities = "retired-authorities"
    /// What came in while the clock was in doubt (``DoubtedTimes``), as JSON.
    case doubtedTimes = "doubted-times"
    /// The modes of the settings, as JSON, that the center runs with.
    case modes
    /// Where the site's captures are, as JSON, by the settings that the center runs with.
    case captures
    /// Says nothing: it is written to see whether that is possible.
    case writeCheck = "write-check"
}

extension StoreTransaction {
    func mark(_ mark: Mark) throws -> String? { try self.mark(named: mark.rawValue) }

    func removeMark(_ mark: Mark) throws { try removeMark(named: mark.rawValue) }

    func setMark(_ mark: Mark, _ value: String) throws { try setMark(named: mark.rawValue, value) }

    // Such as one for each peer.

    func mark(named name: String) throws -> String? {
        try String.fetchOne(db, sql: "SELECT value FROM marks WHERE name = ?", arguments: [name])
    }

    func removeMark(named name: String) throws {
        try db.execute(sql: "DELETE FROM marks WHERE name = ?", arguments: [name])
    }

    func setMark(named name: String, _ value: String) throws {
        try db.execute(
            sql: "INSERT INTO marks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            arguments: [name, value])
    }
}
