// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
public import EpitopeModel
import GRDB
public import Signatures

/// How far this site has read the global center's feed.
extension CenterStore {
    /// The last entry of the global center's feed that this store has.
    public func subscriptionPosition() async throws(EpitopeError) -> FeedPosition {
        try await snapshot { try $0.subscriptionPosition() }
    }
}

extension StoreTransaction {
    /// The last entry of the global center's feed that this store has.
    public func subscriptionPosition() throws -> FeedPosition {
        FeedPosition(kept: try mark(.subscriptionCursor))
    }

    /// Moves on past an entry of the feed.
    public func setSubscriptionPosition(_ position: FeedPosition) throws {
        try setMark(.subscriptionCursor, position.kept)
    }

    /// Begins the feed anew: the numbers of what was read so far are those of another feed. The updates themselves stay.
    public func beginFeedAnew(
        because reason: String = "the global center's feed is another one, or was put back from a backup"
    ) throws {
        guard try subscriptionPosition() != .start else { return }
        try db.execute(sql: "UPDATE updates SET sequence = NULL WHERE sequence IS NOT NULL")
        try setSubscriptionPosition(.start)
        try record(.received, "feed", "\(reason): it is read from its beginning")
    }

    /// Moves on past an entry of the feed of which nothing can be made. It is asked for again when the center starts anew, perhaps in
    /// another version.
    public func passOver(_ position: FeedPosition, reason: String) throws {
        tally.counts.lost[.feedEntriesPassedOver, default: 0] += 1
        try record(.unusable, "feed", "entry \(position.sequence) of the global center's feed is passed over: \(reason)")
        try setMark(.passedOver, "\((Int(try mark(.passedOver) ?? "") ?? 0) + 1)")
        try setSubscriptionPosition(position)
    }

    /// Has the feed read from its beginning if entries of it were passed over.
    public func askForPassedOver() throws {
        guard let count = Int(try mark(.passedOver) ?? ""), count > 0 else { return }
        try setMark(.passedOver, "0")
        try beginFeedAnew(because: "of the global center's feed \(count == 1 ? "an entry was" : "\(count) entries were") passed over")
    }

    /// Gives an update of the global center the number that it has in the feed now, if this store has it without one.
    ///
    /// One that the feed withdrew, also in this reading, was published anew after that: it is taken as one that has just come.
    ///
    /// - Returns: whether it has it.
    public func adopt(_ update: SignatureUpdate, sequence: Int64) throws -> Bool {
        let known = try Int64.fetchOne(
            db,
            sql: """
                SELECT id FROM updates WHERE signature_id = ? AND revision = ? AND created_ms = ? AND sequence IS NULL
                  AND origin = \(UpdateOrigin.global.sql) AND NOT EXISTS (
                    SELECT 1 FROM withdrawals w WHERE w.signature_id = updates.signature_id AND w.feed_mark IS NOT NULL)
                ORDER BY id DESC LIMIT 1
                """,
            arguments: [update.signature.id, update.revision, update.createdMilliseconds])
        guard let known else { return false }
        try db.execute(sql: "UPDATE updates SET sequence = ? WHERE id = ?", arguments: [sequence, known])
        return true
    }
}

/// How the store keeps the position in another center's feed.
extension FeedPosition {
    /// - Parameter text: `nil`, or one that says no number: nothing was read yet.
    init(kept text: String?) {
        // Earlier versions kept the number alone.
        let words = (text ?? "").split(separator: " ")
        guard let sequence = words.first.flatMap({ Int64($0) }) else {
            self = .start
            return
        }
        self.init(sequence: sequence, mark: words.count > 1 ? UInt64(words[1]) ?? 0 : 0)
    }

    var kept: String { "\(sequence) \(mark)" }
}
