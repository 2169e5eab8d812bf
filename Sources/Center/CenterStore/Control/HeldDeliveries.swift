// SPDX-License-Identifier: Apache-2.0

public import Correlation
public import EpitopeModel
import GRDB
import Signatures

/// What doesn't go out by itself: by the modes of the settings, or since a person took its like out of force.
extension CenterStore {
    /// Takes over the modes of the settings. What waits, or is on its way and not in force, is looked at by them again; rules in force stay.
    public func setModes(_ policy: ModePolicy) async throws(EpitopeError) {
        guard try await snapshot({ try $0.modes() != policy }) else { return }
        try await transaction { transaction in
            try transaction.setMark(.modes, try RowCoding.json(policy))
            for update in try transaction.unfinishedUpdates() { try transaction.reconsider(update) }
        }
    }

    /// The modes that the center runs with.
    public func modes() async throws(EpitopeError) -> ModePolicy { try await snapshot { try $0.modes() } }
}

extension DeliveryState {
    /// Those of what doesn't go out by itself.
    static let held: [DeliveryState] = [.waitingApproval, .observed]

    /// Those of what may still go out.
    static let unfinished = underWay + held
}

/// Why an update doesn't go out by itself.
struct Hold: Hashable {
    var state: DeliveryState
    /// For a person.
    var reason: String
}

/// A delivery that may still go out.
struct UnfinishedDelivery {
    var id: Int64
    var target: DeliveryTarget
    var state: DeliveryState
}

extension StoreTransaction {
    /// As many packets of a cluster are asked where they came from.
    private static let maxSources = 64
    /// With as many of the newest signatures that a person took out of force one is compared.
    private static let maxCompared = 256

    /// The modes that the center runs with.
    func modes() throws -> ModePolicy {
        guard let text = try mark(.modes) else { return ModePolicy() }
        // What can't be read must not let anything out.
        return (try? RowCoding.value(ModePolicy.self, text)) ?? ModePolicy(mode: .observe)
    }

    /// What keeps an update from going out by itself; `nil`: nothing does.
    func hold(on update: Int64) throws -> Hold? {
        let modes = try modes()
        let row = try Row.fetchOne(
            db,
            sql: """
                SELECT u.cluster_id, u.body, EXISTS (SELECT 1 FROM approvals a WHERE a.signature_id = u.signature_id) AS approved,
                  EXISTS (SELECT 1 FROM withdrawals x WHERE x.feed_mark IS NULL) AS is_any_withdrawn
                FROM updates u WHERE u.id = ?
                """, arguments: [update])
        guard let row, !modes.isAutomatic || row["is_any_withdrawn"] as Bool else { return nil }
        let (cluster, isApproved): (Int64?, Bool) = (row["cluster_id"], row["approved"])
        guard let body = try? RowCoding.value(SignatureUpdate.self, row["body"]) else { return nil }
        let (mode, reason) = modes.mode(of: try subject(body, in: cluster, for: modes))
        if mode == .observe { return Hold(state: .observed, reason: reason) }
        guard !isApproved else { return nil }
        if let near = try takenOut(near: body.signature, in: cluster) {
            return Hold(state: .waitingApproval, reason: "near \(near), which a person took out of force")
        }
        return mode == .approve ? Hold(state: .waitingApproval, reason: reason) : nil
    }

    /// An update as its mode is decided.
    func subject(_ update: SignatureUpdate, in cluster: Int64?, for modes: ModePolicy) throws -> ModePolicy.Subject {
        ModePolicy.Subject(
            context: update.signature.context, grade: update.support?.grade,
            addresses: modes.isByNetwork ? try addresses(of: update, in: cluster) : [])
    }

    private func addresses(of update: SignatureUpdate, in cluster: Int64?) throws -> [IPAddress] {
        if let narrowed = update.support?.narrowedTo { return narrowed }
        return try cluster.map { try newestPacketsWithReporters(of: $0, limit: Self.maxSources).compactMap(\.address) } ?? []
    }

    /// The signature of the same attack that a person here withdrew or rejected, and that another one is a near variant of. Of another
    /// center's update, and of those whose cluster is gone, it isn't known what attack they are of: all are compared.
    private func takenOut(near signature: Signature, in cluster: Int64?) throws -> String? {
        let ofCluster: StoreArguments = cluster.map { [$0] } ?? []
        let isOfCluster = cluster == nil ? "" : "AND (u.cluster_id IS NULL OR u.cluster_id = ?)"
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT u.signature_id, u.body FROM updates u JOIN withdrawals x ON x.signature_id = u.signature_id
                WHERE u.state = \(UpdateState.withdrawn.sql) AND x.feed_mark IS NULL AND u.signature_id <> ? \(isOfCluster)
                ORDER BY u.id DESC LIMIT \(Self.maxCompared)
                """, arguments: [signature.id] + ofCluster)
        return rows.first { row in
            (try? RowCoding.value(SignatureUpdate.self, row["body"])).map { NearVariant.isNear(signature, to: $0.signature) } ?? false
        }.map { $0["signature_id"] }
    }

    /// Whether an update doesn't go out by itself now.
    func isHeld(_ update: Int64) throws -> Bool {
        try Bool.fetchOne(
            db, sql: "SELECT EXISTS (SELECT 1 FROM deliveries WHERE update_id = ? AND state IN \(DeliveryState.held.sql))",
            arguments: [update]) ?? false
    }

    /// Schedules a delivery that doesn't go out by itself.
    func addHeldDelivery(of update: Int64, to target: DeliveryTarget, _ hold: Hold) throws {
        let isFirst = try !isHeld(update)
        try db.execute(
            sql: """
                INSERT INTO deliveries (update_id, target, state, reason, changed_ms) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (update_id, target) DO NOTHING
                """,
            arguments: [update, target.rawValue, hold.state.rawValue, hold.reason, nowMilliseconds])
        if isFirst { try recordHold(hold, on: update) }
    }

    private func recordHold(_ hold: Hold, on update: Int64) throws {
        guard let signature = try String.fetchOne(db, sql: "SELECT signature_id FROM updates WHERE id = ?", arguments: [update]) else {
            return
        }
        try record(.held, signature, (hold.state == .observed ? "only observed: " : "waits for a person: ") + hold.reason)
    }

    /// The updates of which a delivery may still go out.
    fileprivate func unfinishedUpdates() throws -> [Int64] {
        try Int64.fetchAll(
            db,
            sql: """
                SELECT DISTINCT d.update_id FROM deliveries d JOIN updates u ON u.id = d.update_id
                WHERE d.state IN \(DeliveryState.unfinished.sql) AND u.state = \(UpdateState.proven.sql) ORDER BY d.update_id
                """)
    }

    /// Looks again whether an update goes out by itself: the modes, or what it rests on, have changed.
    func reconsider(_ update: Int64) throws {
        let deliveries = try unfinished(of: update)
        guard !deliveries.isEmpty else { return }
        guard let hold = try hold(on: update) else {
            try release(deliveries, of: update, isForPerson: false)
            return
        }
        let changed = deliveries.filter { $0.state != hold.state }
        guard !changed.isEmpty else { return }
        for delivery in changed {
            try release(.delivery(delivery.id))
            try db.execute(
                sql: "UPDATE deliveries SET state = ?, reason = ?, changed_ms = ? WHERE id = ?",
                arguments: [hold.state.rawValue, hold.reason, nowMilliseconds, delivery.id])
        }
        try recordHold(hold, on: update)
    }

    /// Deliveries of an update that may still go out.
    func unfinished(of update: Int64) throws -> [UnfinishedDelivery] {
        try Row.fetchAll(
            db, sql: "SELECT id, target, state FROM deliveries WHERE update_id = ? AND state IN \(DeliveryState.unfinished.sql)",
            arguments: [update]
        ).compactMap { row in
            guard let target = DeliveryTarget(rawValue: row["target"]), let state = DeliveryState(rawValue: row["state"]) else {
                return nil
            }
            return UnfinishedDelivery(id: row["id"], target: target, state: state)
        }
    }

    /// Lets an update go out that is held.
    ///
    /// - Parameter isForPerson: whether it goes out whatever is left of the day's quota.
    func release(_ deliveries: [UnfinishedDelivery], of update: Int64, isForPerson: Bool) throws {
        let held = deliveries.filter { DeliveryState.held.contains($0.state) }
        let row = try Row.fetchOne(db, sql: "SELECT signature_id, origin, body FROM updates WHERE id = ?", arguments: [update])
        guard !held.isEmpty, let row else { return }
        let isGlobal = row["origin"] as String == UpdateOrigin.global.rawValue
        for delivery in held {
            guard delivery.target != .feed else {
                // Of a local center, whose peers are told.
                try db.execute(sql: "DELETE FROM deliveries WHERE id = ?", arguments: [delivery.id])
                continue
            }
            if isForPerson { try use(QuotaKind(target: delivery.target, isGlobalUpdate: isGlobal), for: .delivery(delivery.id)) }
            try db.execute(
                sql: "UPDATE deliveries SET state = \(DeliveryState.pending.sql), reason = NULL, changed_ms = ? WHERE id = ?",
                arguments: [nowMilliseconds, delivery.id])
        }
        if held.contains(where: { $0.target == .feed }) {
            try tellPeersOnce(try RowCoding.value(SignatureUpdate.self, row["body"]), number: update)
        }
        if !isForPerson { try record(.released, row["signature_id"], "it goes out now, by the settings") }
        try supersede(by: update)
    }

    /// Ends what a held update takes the place of, as far as that is held, too: only the latest waits.
    ///
    /// - Parameter replaced: SQL that selects the updates' ids, with its arguments.
    func supersedeHeld(_ replaced: String, arguments: StoreArguments) throws {
        let isHeld = """
            EXISTS (SELECT 1 FROM deliveries d WHERE d.update_id = u.id AND d.state IN \(DeliveryState.held.sql))
              AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.update_id = u.id AND d.state NOT IN \(DeliveryState.held.sql))
            """
        let older = try Int64.fetchAll(
            db, sql: "SELECT u.id FROM updates u WHERE u.id IN (\(replaced)) AND \(isHeld)", arguments: arguments)
        for id in older {
            try cancelDeliveries(of: "SELECT CAST(? AS BIGINT)", arguments: [id], reason: nil)
            try db.execute(sql: "UPDATE updates SET state = \(UpdateState.superseded.sql) WHERE id = ?", arguments: [id])
        }
    }
}
