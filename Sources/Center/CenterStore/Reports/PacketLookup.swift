// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import PacketCoding
public import Signatures

extension CenterStore {
    /// A packet that came in, as it was sent.
    ///
    /// - Throws: `packet-not-found` when the store has no packet of that id, or no longer.
    public func packet(id: String) async throws(EpitopeError) -> ExtractedPacket {
        let bytes = try await snapshot { transaction in
            try Row.fetchOne(
                transaction.db, sql: "SELECT \(PacketRows.columns) FROM reports r \(PacketRows.body) WHERE r.id = ?", arguments: [id]
            ).flatMap(PacketRows.bytes)
        }
        guard let bytes else { throw .packetNotFound(id) }
        return try ExtractedPacket(encoded: bytes)
    }

    /// The updates that were made of a packet's cluster, each with its proof, oldest first; empty below the
    /// threshold. Updates whose proof failed are included, with the reasons.
    ///
    /// - Throws: `packet-not-found` when the store has no packet of that id, or no longer.
    public func updates(ofPacket id: String) async throws(EpitopeError) -> [SignatureUpdate] {
        _ = try await packet(id: id)
        return try await snapshot { transaction in
            try String.fetchAll(
                transaction.db,
                sql: """
                    SELECT body FROM updates WHERE cluster_id = (
                      SELECT a.cluster_id FROM reports r JOIN analyses a ON a.report_seq = r.seq WHERE r.id = ?) ORDER BY id
                    """,
                arguments: [id]
            ).map { try RowCoding.value(SignatureUpdate.self, $0) }
        }
    }
}

extension EpitopeError {
    static func packetNotFound(_ id: String) -> EpitopeError {
        EpitopeError(
            .packetNotFound, "this center has no packet \(id)",
            remedy: "look up the packet's id in the center's events; packets older than the setting keepDays are removed")
    }
}
