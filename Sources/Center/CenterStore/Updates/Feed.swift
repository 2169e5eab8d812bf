// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import Signatures

/// The feed of this (global) center.
extension CenterStore {
    /// What was published after a position: updates, without those that were withdrawn or expired since, and withdrawals.
    ///
    /// A position that is not one of this feed (another center's, or one from before this store was put back from a backup) gets
    /// the feed's beginning.
    ///
    /// - Parameters:
    ///   - readers: of a global center's feed its subscribers, of a local center's its peers.
    ///   - limit: how many entries a page has at most.
    ///   - maxBytes: how many bytes of bodies, but for a single entry that is larger: a subscriber that takes its time with an answer has
    ///     the center keep it in memory meanwhile.
    public func feedPage(
        after position: FeedPosition, for readers: FeedReaders = .subscribers, limit: Int = 100, maxBytes: Int = 512 << 10
    ) async throws(EpitopeError) -> FeedPage {
        try await snapshot { transaction in
            let isKnown = try transaction.isInFeed(position)
            var after = isKnown ? position.sequence : 0
            while true {
                let rows = try Row.fetchAll(
                    transaction.db, sql: readers == .peers ? StoreTransaction.told : StoreTransaction.published,
                    arguments: [after, transaction.nowMilliseconds, limit])
                let fitting = Self.prefix(of: rows, maxBytes: maxBytes)
                let entries = fitting.compactMap(FeedEntry.readable)
                // However many can't be read, those behind them are found.
                guard entries.isEmpty, fitting.count < rows.count || rows.count == limit, let last = fitting.last else {
                    return FeedPage(entries: entries, isFromStart: !isKnown)
                }
                after = last["sequence"]
            }
        }
    }

    /// As many rows as fit, and at least one.
    private static func prefix(of rows: [Row], maxBytes: Int) -> ArraySlice<Row> {
        var left = maxBytes
        let end = rows.firstIndex { row in
            left -= (row["body"] as String).utf8.count
            return left < 0
        }
        return rows.prefix(max(1, end ?? rows.count))
    }

    /// The number of the feed's last entry; 0: it has none.
    public func feedEnd() async throws(EpitopeError) -> Int64 {
        try await snapshot { transaction in
            try Int64.fetchOne(transaction.db, sql: "SELECT max(sequence) FROM feed") ?? 0
        }
    }
}

/// Who reads a center's feed.
public enum FeedReaders: Hashable, Sendable {
    /// Of a global center: sites.
    case subscribers
    /// Of a local center: other local centers that it exchanges updates with.
    case peers
}

extension StoreTransaction {
    /// As ``published``, of a local center's feed. Its rules have numbers of its own, which are nothing for others.
    static let told = """
        SELECT f.sequence, f.mark, f.body, f.revises, f.withdraws, f.reason, NULL AS sid
        FROM feed f LEFT JOIN updates u ON u.id = f.update_id
        WHERE f.sequence > ? AND (f.withdraws IS NOT NULL
          OR u.state IN \([UpdateState.proven, .superseded].sql) AND u.expires_ms > ?)
        ORDER BY f.sequence LIMIT ?
        """

    /// Arguments: the number after which, now, and how many. It goes along the feed: what is asked for is mostly at its end.
    static let published = """
        SELECT f.sequence, f.mark, f.body, f.revises, f.withdraws, f.reason, r.sid
        FROM feed f LEFT JOIN updates u ON u.sequence = f.sequence LEFT JOIN rules r ON r.id = u.rule_id
        WHERE f.sequence > ? AND (f.withdraws IS NOT NULL
          OR u.state IN \([UpdateState.proven, .superseded].sql) AND u.expires_ms > ?)
        ORDER BY f.sequence LIMIT ?
        """

    fileprivate func isInFeed(_ position: FeedPosition) throws -> Bool {
        guard position.sequence > 0 else { return true }
        return try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM feed WHERE sequence = ? AND mark = ?)",
            arguments: [position.sequence, Int64(bitPattern: position.mark)]) ?? false
    }

    /// Adds an update to the feed of this (global) center.
    ///
    /// - Parameter older: the updates of other signatures whose place it takes.
    /// - Returns: the update with the sequence number that it got.
    public func publish(_ update: SignatureUpdate, revising older: [StoredUpdate]) throws -> SignatureUpdate {
        let sequence = try addFeedEntry()
        var published = update
        published.origin = .global(sequence: sequence)
        let revised = older.compactMap { older -> Int64? in
            if case .global(let number) = older.update.origin { number } else { nil }
        }
        try db.execute(
            sql: "UPDATE feed SET body = ?, revises = ? WHERE sequence = ?",
            arguments: [
                try RowCoding.json(published), revised.sorted().suffix(FeedEntry.maxRevised).map(String.init).joined(separator: ","),
                sequence,
            ])
        tally.count(.feed, .delivered)
        try record(.published, update.signature.id, "sequence \(sequence), revision \(update.revision)")
        return published
    }

    /// Adds an update of this site to the feed that its peers read.
    ///
    /// - Parameter id: the update's number in the store.
    public func tellPeers(_ update: SignatureUpdate, number id: Int64) throws {
        // They are told when it goes out here.
        if let hold = try hold(on: id) { return try addHeldDelivery(of: id, to: .feed, hold) }
        let sequence = try addFeedEntry()
        var told = update
        // What it rests on is named by packets and addresses of this site.
        told.support = nil
        try db.execute(
            sql: "UPDATE feed SET body = ?, update_id = ? WHERE sequence = ?", arguments: [try RowCoding.json(told), id, sequence])
    }

    /// As ``tellPeers(_:number:)``, unless they were told of that update before.
    public func tellPeersOnce(_ update: SignatureUpdate, number id: Int64) throws {
        let isTold = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM feed WHERE update_id = ?)", arguments: [id])
        if isTold != true { try tellPeers(update, number: id) }
    }

    /// Adds the withdrawal of a signature to the feed of this center, if that has published it.
    func publishWithdrawal(of signatureID: String, reason: String) throws {
        let isPublished = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM updates u JOIN feed f ON f.sequence = u.sequence
                  WHERE u.signature_id = ?1 AND f.update_id IS NULL AND f.withdraws IS NULL)
                OR EXISTS (SELECT 1 FROM updates u JOIN feed f ON f.update_id = u.id WHERE u.signature_id = ?1)
                """,
            arguments: [signatureID])
        guard isPublished == true else { return }
        let sequence = try addFeedEntry()
        try db.execute(
            sql: "UPDATE feed SET withdraws = ?, reason = ? WHERE sequence = ?", arguments: [signatureID, reason, sequence])
        tally.count(.feed, .removed)
        try record(.published, signatureID, "sequence \(sequence), withdrawal")
    }

    private func addFeedEntry() throws -> Int64 {
        try db.insert(
            sql: "INSERT INTO feed (body, mark) VALUES ('', ?)",
            arguments: [Int64(bitPattern: UInt64.random(in: 1...UInt64.max))], returning: "sequence")
    }
}

extension FeedEntry {
    /// - Returns: `nil` for one that can't be read: it must not keep those behind it from all subscribers.
    fileprivate static func readable(_ row: Row) -> FeedEntry? { try? FeedEntry(row) }

    private init(_ row: Row) throws(EpitopeError) {
        let change: Change =
            if let signature: String = row["withdraws"] {
                .withdrawal(Withdrawal(signatureID: signature, reason: row["reason"] ?? ""))
            } else {
                .update(try RowCoding.value(SignatureUpdate.self, row["body"]))
            }
        self.init(
            position: FeedPosition(sequence: row["sequence"], mark: UInt64(bitPattern: row["mark"] as Int64)), change: change,
            revises: (row["revises"] as String).split(separator: ",").compactMap { Int64($0) }, ruleNumber: row.sid)
    }
}
