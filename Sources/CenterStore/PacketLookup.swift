public import EpitopeModel
internal import FoundationEssentials
internal import GRDB

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
        return try StoredForm.decode(data)
    }
}

extension EpitopeError.Code {
    /// The store has no packet of that id.
    public static let packetNotFound = EpitopeError.Code("packet-not-found")
}
