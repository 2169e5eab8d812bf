// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
public import EpitopeModel
import GRDB
public import Signatures

/// What this local center has of the feeds of others that it exchanges updates with.
extension CenterStore {
    /// The last entry that was read of a peer's feed.
    ///
    /// - Parameter peer: the name that it has here.
    public func position(inFeedOf peer: String) async throws(EpitopeError) -> FeedPosition {
        try await snapshot { FeedPosition(kept: try $0.mark(named: StoreTransaction.positionMark(of: peer))) }
    }

    /// Forgets how far a peer's feed was read.
    public func forgetFeed(of peer: String) async throws(EpitopeError) {
        try await transaction { try $0.removeMark(named: StoreTransaction.positionMark(of: peer)) }
    }
}

extension StoreTransaction {
    fileprivate static func positionMark(of peer: String) -> String { "peer-position \(peer)" }

    /// Moves on past an entry of a peer's feed.
    public func setPosition(_ position: FeedPosition, inFeedOf peer: String) throws {
        try setMark(named: Self.positionMark(of: peer), position.kept)
    }

    /// Moves on past an entry of a peer's feed of which nothing can be made.
    public func passOver(_ position: FeedPosition, of peer: String, reason: String) throws {
        tally.counts.lost[.feedEntriesPassedOver, default: 0] += 1
        try record(
            .unusable, "feed",
            "entry \(position.sequence) of the feed of the peer \(peer) is passed over: \(reason)")
        try setPosition(position, inFeedOf: peer)
    }

    /// Takes rules out of force that rest on a peer's word alone, since that takes it back. What others say of the signature stands, and
    /// so does what they say later: a peer can't have this site withdraw anything.
    public func takeBack(_ withdrawal: FeedEntry.Withdrawal, by peer: Identity) throws {
        let rows = try Row.fetchAll(
            db,
            sql:
                "SELECT id, cluster_id FROM updates WHERE signature_id = ? AND state = \(UpdateState.proven.sql)",
            arguments: [withdrawal.signatureID])
        let reason = "the peer \(peer.name), who alone spoke for it, withdrew it: \(withdrawal.reason)"
        for row in rows {
            guard let cluster: Int64 = row["cluster_id"] else { continue }
            let others = try reporters(of: cluster).subtracting([peer.reporter])
            guard others.isEmpty, try !isPinned(withdrawal.signatureID) else { continue }
            try end(row["id"], as: .expired, reason: reason)
            try record(.expired, withdrawal.signatureID, reason)
        }
    }
}
