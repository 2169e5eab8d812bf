// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import GRDB
import PacketCoding

/// The spool: the packets that wait for a center.
extension HostStore {
    /// The packet that has waited longest for a destination; `nil` when the spool is empty.
    public func nextPacket(for destination: Destination) async throws(EpitopeError) -> SpooledPacket? {
        try await read { db in
            let row = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT * FROM spool WHERE destination = ? ORDER BY sequence LIMIT 1"),
                arguments: [destination.rawValue])
            guard let row, let encoded: Data = row["encoded"] else { return nil }
            return SpooledPacket(
                sequence: row["sequence"], destination: destination,
                packet: EncodedPacket(id: row["packet_id"], bytes: Array(encoded)))
        }
    }

    /// Removes a packet for which its center gave a receipt. Removing it again has no effect.
    public func remove(_ packet: SpooledPacket, nowMilliseconds: Int64) async throws(EpitopeError) {
        try await write { [settings] db in
            try db.executeCached(sql: "DELETE FROM spool WHERE sequence = ?", arguments: [packet.sequence])
            guard db.changesCount > 0 else { return }
            try AdmissionStep(db: db, settings: settings, nowMilliseconds: nowMilliseconds).count("sent")
        }
    }

    /// Moves a packet that its center refused for good to the refused packets, with the reason.
    public func setAside(_ packet: SpooledPacket, because reason: EpitopeError, nowMilliseconds: Int64) async throws(EpitopeError) {
        try await write { [settings] db in
            try db.execute(sql: "DELETE FROM spool WHERE sequence = ?", arguments: [packet.sequence])
            guard db.changesCount > 0 else { return }
            try db.execute(
                sql: """
                    INSERT OR REPLACE INTO refused (packet_id, destination, code, message, time_ms, encoded)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    packet.packet.id, packet.destination.rawValue, reason.code.rawValue, reason.message, nowMilliseconds,
                    Data(packet.packet.bytes),
                ])
            try db.execute(
                sql: "DELETE FROM refused WHERE number <= (SELECT max(number) FROM refused) - ?", arguments: [settings.maxRefusedPackets])
            try AdmissionStep(db: db, settings: settings, nowMilliseconds: nowMilliseconds).count("refused")
        }
    }

    /// How many packets wait for a destination.
    public func waiting(for destination: Destination) async throws(EpitopeError) -> Int {
        try await read { db in
            try Int.fetchOne(db, sql: "SELECT count(*) FROM spool WHERE destination = ?", arguments: [destination.rawValue]) ?? 0
        }
    }

    /// The refused packets that are kept, oldest first.
    public func refusedPackets() async throws(EpitopeError) -> [RefusedPacket] {
        try await read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM refused ORDER BY number").compactMap { row in
                guard let destination = Destination(rawValue: row["destination"]), let encoded: Data = row["encoded"] else { return nil }
                return RefusedPacket(
                    packetID: row["packet_id"], destination: destination, code: row["code"], message: row["message"],
                    timeMilliseconds: row["time_ms"], encoded: Array(encoded))
            }
        }
    }

    /// How often each outcome occurred on a day (UTC, in days since 1970-01-01): `accepted`, `duplicate`,
    /// `over-quota`, `given-up`, `suppressed`, `lost`, `spool-full`, `sent`, `refused`. The last 366 days are kept.
    public func outcomes(day: Int64) async throws(EpitopeError) -> [String: Int] {
        try await read { db in
            let rows = try Row.fetchAll(db, sql: "SELECT name, count FROM outcome WHERE day = ?", arguments: [day])
            return Dictionary(uniqueKeysWithValues: rows.map { ($0["name"], $0["count"]) })
        }
    }
}
