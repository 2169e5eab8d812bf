// SPDX-License-Identifier: Apache-2.0

internal import Correlation
import EpitopeModel
internal import GRDB
internal import Signatures

/// How a signature update stands at a center. How far it has come to each target is its deliveries' state.
public enum UpdateState: String, Hashable, Sendable, Codable, CaseIterable {
    /// Proven: to be delivered, or in force.
    case proven
    /// The proof failed; kept with its reason and never delivered.
    case unproven
    /// A later revision took its place.
    case superseded
    /// An update of the global center for a signature that this site already has in force by its own making.
    case covered
    case withdrawn
    case expired
}

/// How far an update, or a forwarded packet, has come on its way to one target.
public enum DeliveryState: String, Hashable, Sendable, Codable, CaseIterable {
    case pending
    /// Beyond the day's quota; goes out when the sliding day reopens.
    case waitingQuota = "waiting-quota"
    case delivered
    case refused
    case superseded
}

/// An update as it lies in the store.
struct UpdateRow: Sendable {
    var id: Int64
    var state: UpdateState
    var update: SignatureUpdate

    /// The latest update of a signature that says anything of its own.
    static func latest(of signatureID: String, db: Database) throws -> UpdateRow? {
        try Row.fetchOne(
            db,
            sql: """
                SELECT id, state, body FROM updates
                WHERE signature_id = ? AND state NOT IN ('superseded', 'covered') ORDER BY id DESC LIMIT 1
                """,
            arguments: [signatureID]
        ).map(Self.init)
    }

    /// The latest update of each signature that was made for a cluster, and says anything of its own.
    static func latestOfEach(in cluster: Cluster, db: Database) throws -> [UpdateRow] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT id, state, body FROM updates WHERE id IN (
                  SELECT max(id) FROM updates WHERE state NOT IN ('superseded', 'covered') AND (signature_id = ?
                    OR signature_id IN (SELECT signature_id FROM updates WHERE cluster_id = ?))
                  GROUP BY signature_id) ORDER BY id
                """,
            arguments: [cluster.signature.id, cluster.id]
        ).map(Self.init)
    }

    init(_ row: Row) throws {
        id = row["id"]
        update = try RowCoding.value(SignatureUpdate.self, row["body"])
        guard let state = UpdateState(rawValue: row["state"]) else {
            throw EpitopeError(
                .storeUnusable, "update \(id) is in a state that this version doesn't know",
                remedy: "use the version of the program that wrote the store, or a newer one")
        }
        self.state = state
    }

    /// How the decision on a new revision sees this update.
    func latestState(db: Database, nowMilliseconds: Int64) throws -> UpdateDecision.LatestState {
        switch state {
        case .withdrawn: return .withdrawn
        case .unproven: return .unproven
        case .expired: return .expired
        case .proven, .superseded, .covered: break
        }
        if update.expiresMilliseconds <= nowMilliseconds { return .expired }
        let isRefused = try Bool.fetchOne(
            db,
            sql: "SELECT EXISTS (SELECT 1 FROM deliveries WHERE update_id = ? AND target = 'ids' AND state = 'refused')",
            arguments: [id])
        return isRefused == true ? .refused : .standing
    }
}
