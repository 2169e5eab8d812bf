// SPDX-License-Identifier: Apache-2.0

import Correlation
public import EpitopeModel
import GRDB

extension StatusReport {
    /// A site, or a host, that reports to a global center.
    public struct Peer: Hashable, Sendable, Codable {
        /// `local-center:` and the site's name, or `host:` and the host's.
        public var reporter: String
        /// The networks that it was seen from.
        public var networks: [String]
        /// Whether what it reports is published on its word alone.
        public var isTrusted: Bool

        static func networks(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }
    }

    /// An attack that is not published yet.
    public struct WaitingAttack: Hashable, Sendable, Codable {
        /// Of the first packet.
        public var signatureID: String
        public var reporters: Int
        public var reason: String
    }
}

extension CenterStore {
    /// Why the attack that a packet belongs to is not published; `nil`: it doesn't wait for that.
    public func waitingReason(ofPacket id: String) async throws(EpitopeError) -> String? {
        try await snapshot { transaction in
            let row = try Row.fetchOne(
                transaction.db,
                sql: """
                    SELECT a.cluster_id, p.state FROM reports r JOIN analyses a ON a.report_seq = r.seq
                    JOIN proofs p ON p.cluster_id = a.cluster_id WHERE r.id = ? AND p.state IN \(ProofState.unpublished.sql)
                    """,
                arguments: [id])
            return try row.map { try transaction.waitingReason(of: $0["cluster_id"], $0["state"]) }
        }
    }
}

extension StoreTransaction {
    fileprivate func waitingReason(of cluster: Int64, _ state: String) throws -> String {
        if state == ProofState.waitingQuota.rawValue { return "waits for the day's quota of publications" }
        guard case .wait(let reason) = try publication(of: cluster) else {
            return "waits until two independent sites support one signature of it"
        }
        return reason
    }

    /// What waits to be published: what most report first.
    func waitingAttacks(limit: Int) throws -> [StatusReport.WaitingAttack] {
        // A statement each, so that both are found by their index.
        let forSupport = """
            SELECT p.cluster_id, p.state, c.signature_id, coalesce(s.known_reporters, 0) AS reporters FROM proofs p
            JOIN clusters c ON c.id = p.cluster_id LEFT JOIN cluster_sums s ON s.cluster_id = p.cluster_id
            WHERE p.state = \(ProofState.waiting.sql) ORDER BY 4 DESC, 1 DESC LIMIT ?
            """
        let forQuota = """
            SELECT q.item AS cluster_id, \(ProofState.waitingQuota.sql) AS state, c.signature_id, q.reporters FROM quota_queue q
            JOIN clusters c ON c.id = q.item
            WHERE q.quota = \(QuotaKind.publications.sql) ORDER BY 4 DESC, 1 DESC LIMIT ?
            """
        let rows = try [forSupport, forQuota].flatMap { try Row.fetchAll(db, sql: $0, arguments: [limit]) }
        return try rows.sorted { ($0["reporters"] as Int) > $1["reporters"] }.prefix(limit).map { row in
            StatusReport.WaitingAttack(
                signatureID: row["signature_id"], reporters: row["reporters"],
                reason: try waitingReason(of: row["cluster_id"], row["state"]))
        }
    }

    /// Trusted ones first.
    func peers(limit: Int) throws -> [StatusReport.Peer] {
        try Row.fetchAll(db, sql: "SELECT * FROM peers ORDER BY is_trusted DESC, reporter LIMIT ?", arguments: [limit]).map { row in
            StatusReport.Peer(
                reporter: row["reporter"], networks: StatusReport.Peer.networks(row["networks"]), isTrusted: row["is_trusted"])
        }
    }
}
