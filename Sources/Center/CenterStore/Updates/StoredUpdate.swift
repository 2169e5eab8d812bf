// SPDX-License-Identifier: Apache-2.0

public import Correlation
import EpitopeModel
import GRDB
public import Signatures

/// An update with its state in the store.
public struct StoredUpdate: Sendable {
    public var id: Int64
    /// The rule that it is a revision of.
    public var rule: Int64
    /// The cluster whose packets it was made of; `nil` for an update of the global center, and where the cluster was pruned.
    public var cluster: Int64?
    public var state: UpdateState
    public var update: SignatureUpdate
    /// Whether the IDS refused its rule.
    public var isRefused: Bool
    /// When it ends, in milliseconds since 1970: a person may have decided on that.
    public var expiresMilliseconds: Int64

    /// - Returns: `nil` when the update can't be read: it must not keep others from being made.
    init?(_ row: Row) throws {
        guard let update = try? DecodedTexts<SignatureUpdate>.updates.value(row["body"]) else { return nil }
        self.update = update
        id = row["id"]
        rule = row["rule_id"]
        cluster = row["cluster_id"]
        isRefused = row["refused"]
        expiresMilliseconds = row["expires_ms"]
        guard let state = UpdateState(rawValue: row["state"]) else {
            throw EpitopeError(
                .storeUnusable, "update \(id) has a state that this version does not know: \(row["state"] as String)",
                remedy: "use the version of the program that wrote the store, or a newer one")
        }
        self.state = state
    }

    /// The update as the decision on a next revision needs it.
    public func latest(nowMilliseconds: Int64) -> UpdateDecision.Latest {
        let state: UpdateDecision.LatestState =
            switch state {
            case .withdrawn: .withdrawn
            case .unproven: .unproven
            case .expired: .expired
            case .proven, .superseded, .covered:
                expiresMilliseconds <= nowMilliseconds ? .expired : isRefused ? .refused : .standing
            }
        return UpdateDecision.Latest(update: update, state: state)
    }
}

extension StoreTransaction {
    /// Of a signature's updates, those that still count for the next revision.
    private static let isCurrent = "state NOT IN \([UpdateState.superseded, .covered].sql)"

    private static let columns = """
        u.id, u.rule_id, u.cluster_id, u.state, u.body, u.expires_ms, EXISTS (SELECT 1 FROM deliveries d WHERE d.update_id = u.id
          AND d.target = \(DeliveryTarget.ids.sql) AND d.state = \(DeliveryState.refused.sql)) AS refused
        """

    /// The latest update of a signature that is neither superseded nor covered.
    public func latestUpdate(of signatureID: String) throws -> StoredUpdate? {
        try Row.fetchOne(
            db, sql: "SELECT \(Self.columns) FROM updates u WHERE signature_id = ? AND \(Self.isCurrent) ORDER BY id DESC LIMIT 1",
            arguments: [signatureID]
        ).flatMap(StoredUpdate.init)
    }

    /// The latest update of each signature that was made for a cluster.
    public func latestUpdates(of cluster: Cluster) throws -> [StoredUpdate] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT \(Self.columns) FROM updates u WHERE id IN (
                  SELECT max(id) FROM updates WHERE \(Self.isCurrent) AND (signature_id = ?
                    OR signature_id IN (SELECT signature_id FROM updates WHERE cluster_id = ?))
                  GROUP BY signature_id) ORDER BY id
                """,
            arguments: [cluster.signature.id, cluster.id]
        ).compactMap(StoredUpdate.init)
    }

    /// The updates that the global center published under these numbers, as far as this site has them.
    public func updates(ofSequences sequences: [Int64]) throws -> [StoredUpdate] {
        try sequences.compactMap { sequence in
            try Row.fetchOne(db, sql: "SELECT \(Self.columns) FROM updates u WHERE sequence = ?", arguments: [sequence]).flatMap(
                StoredUpdate.init)
        }
    }

    /// The updates of a signature whose rule the IDS has, or gets next. One that waits for its quota is not among them.
    public func updatesAtIDS(of signatureID: String) throws -> [StoredUpdate] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT \(Self.columns) FROM updates u JOIN deliveries t ON t.update_id = u.id
                WHERE u.signature_id = ? AND u.state = \(UpdateState.proven.sql)
                  AND t.target = \(DeliveryTarget.ids.sql) AND t.state IN \([DeliveryState.pending, .delivered].sql)
                """,
            arguments: [signatureID]
        ).compactMap(StoredUpdate.init)
    }
}
