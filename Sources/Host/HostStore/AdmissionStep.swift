// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GRDB
import Novelty
import PacketCoding

/// Admits one packet, within a transaction: duplicate, over the quota, spool full, or accepted.
struct AdmissionStep {
    let db: Database
    let settings: HostStoreSettings
    let nowMilliseconds: Int64

    func admit(_ packet: EncodedPacket, fingerprint: PacketFingerprint, destinations: [Destination]) throws -> Admission {
        let admission = try decide(id: packet.id, fingerprint: fingerprint, bytes: packet.bytes.count, destinations: destinations)
        switch admission {
        case .accepted:
            for destination in destinations {
                try db.execute(
                    sql: "INSERT INTO spool (packet_id, destination, encoded) VALUES (?, ?, ?)",
                    arguments: [packet.id, destination.rawValue, Data(packet.bytes)])
            }
            try db.execute(sql: "INSERT INTO quota_use (time_ms) VALUES (?)", arguments: [nowMilliseconds])
            try remember(packet.id, fingerprint)
            try count("accepted")
        case .duplicate(let first):
            try db.execute(sql: "UPDATE seen SET last_ms = max(last_ms, ?) WHERE packet_id = ?", arguments: [nowMilliseconds, first])
            try count("duplicate")
        case .overQuota:
            try count("over-quota")
        case .spoolFull:
            try count("spool-full")
        }
        return admission
    }

    private func decide(id: String, fingerprint: PacketFingerprint, bytes: Int, destinations: [Destination]) throws -> Admission {
        if let first = try duplicate(of: fingerprint, id: id) { return .duplicate(of: first) }
        // Uses a day from now on either side can never count again (DailyQuota).
        let window = DailyQuota.windowMilliseconds
        try db.execute(
            sql: "DELETE FROM quota_use WHERE time_ms NOT BETWEEN ? AND ?", arguments: [nowMilliseconds - window, nowMilliseconds + window])
        let uses = try Int64.fetchAll(db, sql: "SELECT time_ms FROM quota_use")
        guard settings.quota.allows(uses: uses, nowMilliseconds: nowMilliseconds) else {
            return .overQuota(nextAllowedMilliseconds: settings.quota.nextAllowed(uses: uses, nowMilliseconds: nowMilliseconds))
        }
        let waitingBytes = try Int.fetchOne(db, sql: "SELECT sum(length(encoded)) FROM spool") ?? 0
        for destination in destinations {
            let waiting =
                try Int.fetchOne(db, sql: "SELECT count(*) FROM spool WHERE destination = ?", arguments: [destination.rawValue]) ?? 0
            guard waiting < settings.maxSpooledPackets, waitingBytes + bytes * destinations.count <= settings.maxSpooledBytes else {
                return .spoolFull(waiting: waiting)
            }
        }
        return .accepted
    }

    /// The id of the packet that this one is a duplicate of. Exact matching uses the indices; near matching compares every
    /// fingerprint, at most `settings.maxRememberedPackets`.
    private func duplicate(of fingerprint: PacketFingerprint, id: String) throws -> String? {
        let rows: RowCursor
        switch settings.novelty.matching {
        case .exact:
            rows = try Row.fetchCursor(
                db, sql: "SELECT * FROM seen WHERE code_key = ? OR parameters_key = ? OR packet_id = ? ORDER BY last_ms",
                arguments: [Data(fingerprint.codeKey), Data(fingerprint.parametersKey), id])
        case .near:
            rows = try Row.fetchCursor(db, sql: "SELECT * FROM seen ORDER BY last_ms")
        }
        while let row = try rows.next() {
            let seenID: String = row["packet_id"]
            // The same packet was admitted before, as after a crash between commit and return.
            if seenID == id { return seenID }
            guard let earlier = PacketFingerprint(row) else { continue }
            if settings.novelty.isDuplicate(fingerprint, of: earlier) { return seenID }
        }
        return nil
    }

    private func remember(_ id: String, _ fingerprint: PacketFingerprint) throws {
        try db.execute(
            sql: """
                INSERT INTO seen (packet_id, last_ms, is_signature, code_key, sketch, parameters_key, fields)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                id, nowMilliseconds, fingerprint.isSignature, Data(fingerprint.codeKey), Data(fingerprint.codeSketch.stored),
                Data(fingerprint.parametersKey), Data(fingerprint.storedFields),
            ])
        let excess = (try Int.fetchOne(db, sql: "SELECT count(*) FROM seen") ?? 0) - settings.maxRememberedPackets
        guard excess > 0 else { return }
        try db.execute(
            sql: "DELETE FROM seen WHERE packet_id IN (SELECT packet_id FROM seen WHERE packet_id <> ? ORDER BY last_ms LIMIT ?)",
            arguments: [id, excess])
    }

    func count(_ name: String) throws {
        let day = nowMilliseconds / DailyQuota.windowMilliseconds
        try db.execute(
            sql: "INSERT INTO outcome (day, name, count) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
            arguments: [day, name])
        // Counts are kept for a year.
        try db.execute(sql: "DELETE FROM outcome WHERE day < ?", arguments: [day - 366])
    }
}

extension PacketFingerprint {
    /// Reads a row of `seen`; `nil` for a row that another version wrote.
    fileprivate init?(_ row: Row) {
        guard let code: Data = row["code_key"], let sketch: Data = row["sketch"], let parameters: Data = row["parameters_key"],
            let fields: Data = row["fields"]
        else { return nil }
        self.init(
            isSignature: row["is_signature"], codeKey: Array(code), sketch: Array(sketch), parametersKey: Array(parameters),
            fields: Array(fields))
    }
}
