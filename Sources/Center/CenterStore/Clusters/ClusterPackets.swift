// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB

/// A packet of a cluster, by the number of its report.
public struct ReportedPacket: Hashable, Sendable {
    public var sequence: Int64
    public var reporter: String
    /// Where a host's connection came from; `nil`: that isn't known, or a site sent it.
    public var address: IPAddress?

    public init(sequence: Int64, reporter: String, address: IPAddress? = nil) {
        self.sequence = sequence
        self.reporter = reporter
        self.address = address
    }
}

extension StoreTransaction {
    /// The ids of a cluster's newest packets, the newest first.
    public func newestPacketIDs(of cluster: Int64, limit: Int) throws -> [String] {
        let select = try db.cachedStatement(
            sql: """
                SELECT r.id FROM analyses a CROSS JOIN reports r ON r.seq = a.report_seq
                WHERE a.cluster_id = ? AND a.is_packet = 1 ORDER BY a.report_seq DESC LIMIT ?
                """)
        return try String.fetchAll(select, arguments: [cluster, limit])
    }

    /// A cluster's newest packets with who sent them, the newest first.
    public func newestPacketsWithReporters(of cluster: Int64, limit: Int) throws -> [ReportedPacket] {
        let select = try db.cachedStatement(
            sql: """
                SELECT a.report_seq, r.role, r.name, r.source FROM analyses a CROSS JOIN reports r ON r.seq = a.report_seq
                WHERE a.cluster_id = ? AND a.is_packet = 1 ORDER BY a.report_seq DESC LIMIT ?
                """)
        return try Row.fetchAll(select, arguments: [cluster, limit]).map { row in
            let (role, name, address): (String, String, String?) = (row["role"], row["name"], row["source"])
            return ReportedPacket(
                sequence: row["report_seq"], reporter: "\(role):\(name)", address: address.flatMap { IPAddress($0) })
        }
    }
}
