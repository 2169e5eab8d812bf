// SPDX-License-Identifier: Apache-2.0

public import Correlation
public import EpitopeModel
import GRDB
public import Signatures

/// What other settings would make of an update that the center has.
public struct PolicyForecast: Sendable {
    public var update: SignatureUpdate
    /// How its delivery to the IDS stands now; `nil`: there is none.
    public var state: DeliveryState?
    /// What would become of it if it were made now.
    public var mode: DeliveryMode
    /// Why, for a person.
    public var reason: String
    /// Whether its rule would drop, where the engine is set to.
    public var mayDrop: Bool
}

extension CenterStore {
    /// What settings would make of the updates in force, on their way or held.
    ///
    /// - Parameter dropsFrom: the grade from which on evidence is enough for a rule that drops.
    public func forecast(by modes: ModePolicy, dropsFrom: EvidenceGrade) async throws(EpitopeError) -> [PolicyForecast] {
        try await snapshot { transaction in
            try Row.fetchAll(
                transaction.db,
                sql: """
                    SELECT u.body, u.cluster_id, d.state FROM updates u LEFT JOIN deliveries d ON d.update_id = u.id
                      AND d.target = \(DeliveryTarget.ids.sql) WHERE u.state = \(UpdateState.proven.sql) ORDER BY u.id
                    """
            ).compactMap { row -> PolicyForecast? in
                guard let update = try? RowCoding.value(SignatureUpdate.self, row["body"]) else { return nil }
                let (mode, reason) = modes.mode(of: try transaction.subject(update, in: row["cluster_id"], for: modes))
                let isEnough = update.support.map { $0.grade >= dropsFrom } ?? true
                return PolicyForecast(
                    update: update, state: (row["state"] as String?).flatMap(DeliveryState.init), mode: mode, reason: reason,
                    mayDrop: isEnough && update.proof.allowsDropping)
            }
        }
    }

    /// The captures that the center was last served with, for commands beside it, which read no settings.
    public func knownCaptures() async throws(EpitopeError) -> [String] {
        try await snapshot { transaction in
            try transaction.mark(.captures).map { try RowCoding.value([String].self, $0) } ?? []
        }
    }

    /// Keeps where the site's captures are.
    public func setKnownCaptures(_ paths: [String]) async throws(EpitopeError) {
        guard try await knownCaptures() != paths else { return }
        try await transaction { try $0.setMark(.captures, try RowCoding.json(paths)) }
    }
}
