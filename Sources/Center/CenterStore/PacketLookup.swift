// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
internal import FoundationEssentials
internal import GRDB
public import Signatures

extension CenterStore {
    /// A packet that came in, as it was sent.
    ///
    /// - Throws: `packet-not-found` when the store has none of that id, or no longer.
    public func packet(id: String) async throws(EpitopeError) -> ExtractedPacket {
        let data = try await read { db in
            try Data.fetchOne(db, sql: "SELECT packet FROM reports WHERE id = ? AND packet IS NOT NULL", arguments: [id])
        }
        guard let data else {
            throw EpitopeError(
                .packetNotFound, "this center holds no packet \(id)",
                remedy: "look the packet's id up in the center's events; packets are kept for the days that keepDays says")
        }
        return try RowCoding.decode(data)
    }
}

extension CenterStore {
    /// The updates that were made of a packet's cluster, each with its proof, the oldest first; empty below the
    /// threshold. Those that failed are among them, with the reasons.
    ///
    /// - Throws: `packet-not-found` when the store has no packet of that id, or no longer.
    public func updates(ofPacket id: String) async throws(EpitopeError) -> [SignatureUpdate] {
        _ = try await packet(id: id)
        return try await read { db in
            try String.fetchAll(
                db, sql: "SELECT body FROM updates WHERE cluster_id = (SELECT cluster_id FROM reports WHERE id = ?) ORDER BY id",
                arguments: [id]
            ).map { try RowCoding.value(SignatureUpdate.self, $0) }
        }
    }
}

extension EpitopeError.Code {
    /// The store has no packet of that id.
    public static let packetNotFound = EpitopeError.Code("packet-not-found")
}
