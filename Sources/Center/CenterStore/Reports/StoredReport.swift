// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import GRDB
public import Signatures

/// How far a report has come.
enum ReportState: String, CaseIterable, StoredWord {
    /// On the disk and acknowledged; the analysis takes it next.
    case stored
    /// Part of a cluster.
    case analysed
    /// Nothing can be made of it; kept with the reason.
    case unusable
}

/// A report that waits for the analysis, decoded.
public struct StoredReport: Sendable {
    /// What came in, as far as the analysis needs it.
    public enum Content: Sendable {
        /// A packet, from its host or with the signature of the site that forwards it.
        case packet(ExtractedPacket, signature: Signature?)
        /// The signature of a site's update.
        case signature(Signature)
    }

    /// Counts up in the order in which reports came in.
    public var sequence: Int64
    public var id: String
    /// Who the evidence counts for: role and name of the sender.
    public var reporter: String
    /// By the center's clock, in milliseconds since 1970-01-01T00:00:00Z.
    public var receivedMilliseconds: Int64
    /// A failure when the row can't be decoded: one bad report must not stop those behind it.
    public var content: Result<Content, EpitopeError>
}

extension StoredReport {
    fileprivate init(_ row: Row) {
        let (role, name): (String, String) = (row["role"], row["name"])
        let (packet, signature): (Data?, String?) = (row["packet"], row["signature"])
        self.init(
            sequence: row["seq"], id: row["id"], reporter: "\(role):\(name)", receivedMilliseconds: row["received_ms"],
            content: Result { () throws(EpitopeError) in try Content(packet: packet, signature: signature) })
    }
}

extension StoredReport.Content {
    fileprivate init(packet: Data?, signature: String?) throws(EpitopeError) {
        let signature = try signature.map { json throws(EpitopeError) in try RowCoding.value(Signature.self, json) }
        if let packet {
            self = .packet(try RowCoding.decode(packet), signature: signature)
        } else if let signature {
            self = .signature(signature)
        } else {
            throw EpitopeError(.signatureMalformed, "a report holds neither packet nor signature", remedy: "send it again")
        }
    }
}

extension StoreTransaction {
    /// The reports that were not analysed yet, in the order in which they came in.
    public func waitingReports(limit: Int) throws -> [StoredReport] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT seq, id, role, name, received_ms, packet, signature FROM reports
                WHERE state = \(ReportState.stored.sql) ORDER BY seq LIMIT ?
                """,
            arguments: [limit]
        ).map(StoredReport.init)
    }

    /// Marks a report as part of a cluster.
    ///
    /// - Parameter kinds: the kinds of evidence that it brought.
    public func markAnalysed(_ report: StoredReport, in cluster: Int64, kinds: Set<String>) throws {
        try db.execute(
            sql: "UPDATE reports SET state = \(ReportState.analysed.sql), cluster_id = ?, kinds = ? WHERE seq = ?",
            arguments: [cluster, kinds.sorted().joined(separator: ","), report.sequence])
    }

    /// Marks a report as one that nothing can be made of.
    public func markUnusable(_ report: StoredReport, reason: String) throws {
        try db.execute(
            sql: "UPDATE reports SET state = \(ReportState.unusable.sql), reason = ? WHERE seq = ?",
            arguments: [reason, report.sequence])
    }

    /// The sequence numbers of a cluster's newest packets, newest first.
    public func newestPackets(of cluster: Int64, limit: Int) throws -> [Int64] {
        let select = try db.cachedStatement(
            sql: """
                SELECT seq FROM reports
                WHERE cluster_id = ? AND state = \(ReportState.analysed.sql) AND packet IS NOT NULL ORDER BY seq DESC LIMIT ?
                """)
        return try Int64.fetchAll(select, arguments: [cluster, limit])
    }

    /// The sequence numbers of a cluster's oldest packets, oldest first.
    public func oldestPackets(of cluster: Int64, limit: Int) throws -> [Int64] {
        try Int64.fetchAll(
            db,
            sql: """
                SELECT seq FROM reports
                WHERE cluster_id = ? AND state = \(ReportState.analysed.sql) AND packet IS NOT NULL ORDER BY seq LIMIT ?
                """,
            arguments: [cluster, limit])
    }

    /// How many packets a cluster holds.
    public func countPackets(of cluster: Int64) throws -> Int {
        let count = try db.cachedStatement(
            sql: "SELECT count(*) FROM reports WHERE cluster_id = ? AND packet IS NOT NULL")
        return try Int.fetchOne(count, arguments: [cluster]) ?? 0
    }

    /// The packet of a report.
    ///
    /// - Throws: `packet-not-found` when it was pruned.
    public func packet(sequence: Int64) throws -> ExtractedPacket {
        let select = try db.cachedStatement(sql: "SELECT packet FROM reports WHERE seq = ? AND packet IS NOT NULL")
        guard let data = try Data.fetchOne(select, arguments: [sequence]) else {
            throw EpitopeError.packetNotFound("number \(sequence)")
        }
        return try RowCoding.decode(data)
    }
}
