// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import PacketCoding
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
        /// The signature of a site's update, or of a packet that the center had when a site forwarded it with its conclusion.
        case signature(Signature)
    }

    /// Counts up in the order in which reports came in.
    public var sequence: Int64
    public var id: String
    /// Who the evidence counts for: role and name of the sender.
    public var reporter: String
    /// By the center's clock, in milliseconds since 1970-01-01T00:00:00Z.
    public var receivedMilliseconds: Int64
    /// Where a host's connection came from; `nil`: that isn't known, or a site sent it.
    public var source: IPAddress?
    /// What the site concluded that sent it.
    public var conclusion: SiteConclusion?
    /// When its turn to be analysed is (``CenterStore/began(_:)``).
    var turn: Int64
    /// A failure when the row can't be decoded: one bad report must not stop those behind it.
    public var content: Result<Content, EpitopeError>
}

extension StoredReport {
    static let selectWaiting = """
        SELECT r.seq, r.id, r.role, r.name, r.received_ms, r.source, w.turn, r.signature, r.conclusion, \(PacketRows.columns)
        FROM waiting_reports w CROSS JOIN reports r ON r.seq = w.report_seq \(PacketRows.body) ORDER BY w.turn, w.report_seq LIMIT ?
        """

    fileprivate init(_ row: Row) {
        let (role, name): (String, String) = (row["role"], row["name"])
        let (signature, source, conclusion): (String?, String?, String?) = (row["signature"], row["source"], row["conclusion"])
        self.init(
            sequence: row["seq"], id: row["id"], reporter: "\(role):\(name)", receivedMilliseconds: row["received_ms"],
            source: source.flatMap { IPAddress($0) },
            // The packet counts by itself where it can't be read.
            conclusion: conclusion.flatMap { try? RowCoding.value(SiteConclusion.self, $0) }, turn: row["turn"],
            content: Result { () throws(EpitopeError) in try Content(packet: try PacketRows.bytes(row), signature: signature) })
    }
}

extension StoredReport.Content {
    fileprivate init(packet: [UInt8]?, signature: String?) throws(EpitopeError) {
        let signature = try signature.map { json throws(EpitopeError) in try RowCoding.value(Signature.self, json) }
        if let packet {
            self = .packet(try ExtractedPacket(encoded: packet), signature: signature)
        } else if let signature {
            self = .signature(signature)
        } else {
            throw EpitopeError(.signatureMalformed, "a report holds neither packet nor signature", remedy: "send it again")
        }
    }
}

extension StoreTransaction {
    /// The reports that were not analysed yet, in the order of their turns: each reporter's as they came in, and reporters one after the
    /// other.
    public func waitingReports(limit: Int) throws -> [StoredReport] {
        let select = try db.cachedStatement(sql: StoredReport.selectWaiting)
        return try Row.fetchAll(select, arguments: [limit]).map(StoredReport.init)
    }

    /// Marks a report as part of a cluster.
    ///
    /// - Parameter kinds: the kinds of evidence that it brought.
    public func markAnalysed(_ report: StoredReport, in cluster: Int64, kinds: Set<String>) throws {
        let isPacket = if case .success(.packet) = report.content { true } else { false }
        try conclude(
            report, as: .analysed,
            arguments: [nil, kinds.sorted().joined(separator: ","), cluster, isPacket])
    }

    /// Marks a report as one that nothing can be made of.
    public func markUnusable(_ report: StoredReport, reason: String) throws {
        try conclude(report, as: .unusable, arguments: [reason, "", nil, false])
    }

    /// - Parameter arguments: the reason, the kinds, the cluster, and whether it is a packet.
    private func conclude(_ report: StoredReport, as state: ReportState, arguments: StoreArguments) throws {
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO analyses (report_seq, state, reason, kinds, cluster_id, is_packet)
                VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (report_seq) DO UPDATE SET state = excluded.state, reason = excluded.reason, kinds = excluded.kinds,
                  cluster_id = excluded.cluster_id, is_packet = excluded.is_packet
                """)
        try insert.execute(arguments: [report.sequence, state.rawValue] + arguments)
        tally.counts.analysed += 1
        let delete = try db.cachedStatement(sql: "DELETE FROM waiting_reports WHERE report_seq = ?")
        try delete.execute(arguments: [report.sequence])
    }

    /// The sequence numbers of a cluster's newest packets, newest first.
    public func newestPackets(of cluster: Int64, limit: Int) throws -> [Int64] {
        try packets(of: cluster, order: "DESC", limit: limit)
    }

    /// The sequence numbers of a cluster's oldest packets, oldest first.
    public func oldestPackets(of cluster: Int64, limit: Int) throws -> [Int64] {
        try packets(of: cluster, order: "ASC", limit: limit)
    }

    private func packets(of cluster: Int64, order: String, limit: Int) throws -> [Int64] {
        let select = try db.cachedStatement(
            sql: "SELECT report_seq FROM analyses WHERE cluster_id = ? AND is_packet = 1 ORDER BY report_seq \(order) LIMIT ?")
        return try Int64.fetchAll(select, arguments: [cluster, limit])
    }

    /// The packet of a report.
    ///
    /// - Throws: `packet-not-found` when it was pruned.
    public func packet(sequence: Int64) throws -> ExtractedPacket {
        let select = try db.cachedStatement(sql: "SELECT \(PacketRows.columns) FROM reports r \(PacketRows.body) WHERE r.seq = ?")
        guard let bytes = try Row.fetchOne(select, arguments: [sequence]).flatMap(PacketRows.bytes) else {
            throw EpitopeError.packetNotFound("number \(sequence)")
        }
        return try ExtractedPacket(encoded: bytes)
    }
}
