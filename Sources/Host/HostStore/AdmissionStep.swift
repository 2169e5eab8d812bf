// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GRDB
import Novelty
import PacketCoding

/// Admits one packet, within a transaction: duplicate, over the quota, spool full, or accepted. What waits for the quota is
/// weighed together with it.
struct AdmissionStep {
    /// A packet that asks to be admitted.
    struct Offer: Sendable {
        var packet: EncodedPacket
        var fingerprint: PacketFingerprint
        var claim: QuotaClaim
        var destinations: [Destination]
    }

    let db: Database
    let settings: HostStoreSettings
    let nowMilliseconds: Int64

    func round(admitting offer: Offer?) throws -> QuotaRound {
        var round = QuotaRound()
        guard let offer else {
            try placeWaiting(&round)
            return round
        }
        if let first = try duplicate(of: offer.fingerprint, id: offer.packet.id) {
            try db.executeCached(sql: "UPDATE seen SET last_ms = max(last_ms, ?) WHERE packet_id = ?", arguments: [nowMilliseconds, first])
            try placeWaiting(&round)
            // A packet that waited and is offered again is that packet, not a duplicate of it.
            guard first == offer.packet.id, round.released.contains(first) else {
                round.admission = .duplicate(of: first)
                try count("duplicate")
                return round
            }
            round.released.removeAll { $0 == first }
            round.admission = .accepted
            return round
        }
        let uses = try uses()
        if quota.place(for: offer.claim, uses: uses, nowMilliseconds: nowMilliseconds) != nil,
            let waiting = try waitingWhereFull(offer.destinations, bytes: offer.packet.bytes.count)
        {
            round.admission = .spoolFull(waiting: waiting)
            try count("spool-full")
            return round
        }
        try remember(offer.packet.id, offer.fingerprint)
        // It is weighed against those that waited before, and waits itself only where it gets no place.
        try placeWaiting(&round, uses: uses, with: offer)
        if round.released.contains(offer.packet.id) {
            round.released.removeAll { $0 == offer.packet.id }
            round.admission = .accepted
            return round
        }
        try hold(offer)
        try count("over-quota")
        let next = try quota.nextAllowed(for: offer.claim, uses: usesAsStored(), nowMilliseconds: nowMilliseconds)
        let displaced = try displace()
        let isKept = !displaced.contains(offer.packet.id)
        round.displaced = displaced.count - (isKept ? 0 : 1)
        round.admission = isKept ? .overQuota(nextAllowedMilliseconds: next) : .givenUp(nextAllowedMilliseconds: next)
        return round
    }

    private var quota: WeighedQuota { WeighedQuota(settings.quota) }

    /// The id of the packet that this one is a duplicate of. Exact matching uses the indices; near matching compares every
    /// fingerprint, at most `settings.maxRememberedPackets`.
    private func duplicate(of fingerprint: PacketFingerprint, id: String) throws -> String? {
        let rows: RowCursor
        switch settings.novelty.matching {
        case .exact:
            rows = try Row.fetchCursor(
                db.cachedStatement(
                    sql: "SELECT * FROM seen WHERE code_key = ? OR parameters_key = ? OR packet_id = ? ORDER BY last_ms"),
                arguments: [Data(fingerprint.codeKey), Data(fingerprint.parametersKey), id])
        case .near:
            rows = try Row.fetchCursor(db.cachedStatement(sql: "SELECT * FROM seen ORDER BY last_ms"))
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
        try db.executeCached(
            sql: """
                INSERT INTO seen (packet_id, last_ms, is_signature, code_key, sketch, parameters_key, fields)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                id, nowMilliseconds, fingerprint.isSignature, Data(fingerprint.codeKey), Data(fingerprint.codeSketch.stored),
                Data(fingerprint.parametersKey), Data(fingerprint.storedFields),
            ])
        let excess = (try Int.fetchOne(db.cachedStatement(sql: "SELECT count(*) FROM seen")) ?? 0) - settings.maxRememberedPackets
        guard excess > 0 else { return }
        try db.executeCached(
            sql: "DELETE FROM seen WHERE packet_id IN (SELECT packet_id FROM seen WHERE packet_id <> ? ORDER BY last_ms LIMIT ?)",
            arguments: [id, excess])
    }

    /// Counts an outcome of the day.
    func count(_ name: String, _ number: Int = 1) throws {
        let day = nowMilliseconds / DailyQuota.windowMilliseconds
        try db.executeCached(
            sql: "INSERT INTO outcome (day, name, count) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            arguments: [day, name, number])
        // Counts are kept for a year.
        try db.executeCached(sql: "DELETE FROM outcome WHERE day < ?", arguments: [day - 366])
    }
}

/// Packets that wait for the quota.
extension AdmissionStep {
    private func hold(_ offer: Offer) throws {
        try db.executeCached(
            sql: """
                INSERT INTO held (packet_id, time_ms, points, program, owner, destinations, encoded, quota_limit)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                offer.packet.id, nowMilliseconds, offer.claim.points, Int64(bitPattern: offer.claim.program),
                Int64(bitPattern: offer.claim.owner), offer.destinations.map(\.rawValue).joined(separator: " "),
                Data(offer.packet.bytes), settings.quota.limit,
            ])
    }

    /// Moves what has a place in the quota to the spool, what weighs most first.
    ///
    /// - Parameters:
    ///   - used: the uses that count, where they are known.
    ///   - offer: a packet that is weighed with those that wait, and is not among them yet.
    private func placeWaiting(_ round: inout QuotaRound, uses used: [WeighedQuota.Use]? = nil, with offer: Offer? = nil) throws {
        var waiting = try waiting()
        if let offer {
            waiting.append(
                WeighedQuota.Waiting(id: offer.packet.id, timeMilliseconds: nowMilliseconds, claim: offer.claim))
        }
        guard !waiting.isEmpty else { return }
        var uses = try used ?? self.uses()
        var stays: [WeighedQuota.Waiting] = []
        for each in quota.inOrder(waiting, uses: uses, nowMilliseconds: nowMilliseconds) {
            guard let place = quota.place(for: each.claim, uses: uses, nowMilliseconds: nowMilliseconds),
                let form = try offer.flatMap({ $0.packet.id == each.id ? $0 : nil }).map(spool) ?? spoolHeld(each.id)
            else {
                stays.append(each)
                continue
            }
            let use = WeighedQuota.Use(timeMilliseconds: nowMilliseconds, claim: each.claim, isReserve: place == .reserve)
            try db.executeCached(
                sql: "INSERT INTO quota_use (time_ms, points, program, owner, is_reserve) VALUES (?, ?, ?, ?, ?)",
                arguments: [
                    use.timeMilliseconds, use.claim.points, Int64(bitPattern: use.claim.program), Int64(bitPattern: use.claim.owner),
                    use.isReserve,
                ])
            uses.append(use)
            round.released.append(each.id)
            if form != .asItIs { round.reduced[each.id] = form }
            try count("accepted")
        }
        // Programs with other quotas may share the store: it is the last one that looked at it whose quota is waited for.
        try db.executeCached(
            sql: "UPDATE held SET quota_limit = ? WHERE quota_limit IS NOT ?", arguments: [settings.quota.limit, settings.quota.limit])
        round.nextMilliseconds = stays.compactMap { quota.nextAllowed(for: $0.claim, uses: uses, nowMilliseconds: nowMilliseconds) }.min()
    }

    /// Moves a packet from those that wait to the spool. `nil`: the spool is full.
    ///
    /// - Returns: what of it goes.
    private func spoolHeld(_ id: String) throws -> LinkBudget.Form? {
        guard
            let row = try Row.fetchOne(
                db.cachedStatement(sql: "SELECT destinations, encoded FROM held WHERE packet_id = ?"), arguments: [id]),
            let encoded: Data = row["encoded"]
        else { return nil }
        let names: String = row["destinations"]
        let destinations = names.split(separator: " ").compactMap { Destination(rawValue: String($0)) }
        guard let form = try spool(EncodedPacket(id: id, bytes: Array(encoded)), to: destinations) else { return nil }
        try db.executeCached(sql: "DELETE FROM held WHERE packet_id = ?", arguments: [id])
        return form
    }

    /// Puts a packet that never waited into the spool. `nil`: the spool is full.
    private func spool(_ offer: Offer) throws -> LinkBudget.Form? { try spool(offer.packet, to: offer.destinations) }

    private func spool(_ packet: EncodedPacket, to destinations: [Destination]) throws -> LinkBudget.Form? {
        let link = LinkStep(db: db, settings: settings, nowMilliseconds: nowMilliseconds)
        let (sent, form) = try link.fitted(packet, copies: destinations.count)
        guard try waitingWhereFull(destinations, bytes: sent.bytes.count) == nil else { return nil }
        for destination in destinations {
            try db.executeCached(
                sql: "INSERT INTO spool (packet_id, destination, encoded) VALUES (?, ?, ?)",
                arguments: [sent.id, destination.rawValue, Data(sent.bytes)])
        }
        try link.note(sent.bytes.count * destinations.count)
        switch form {
        case .asItIs: break
        case .snippet: try count(HostStore.sentAsSnippet)
        case .signature: try count(HostStore.sentAsSignature)
        }
        return form
    }

    /// Gives up what weighs least of what waits beyond the bounds. What is given up is forgotten: it may be reported again.
    ///
    /// - Returns: the ids.
    private func displace() throws -> [String] {
        var count = try Int.fetchOne(db.cachedStatement(sql: "SELECT count(*) FROM held")) ?? 0
        var bytes = try Int.fetchOne(db.cachedStatement(sql: "SELECT sum(length(encoded)) FROM held")) ?? 0
        guard count > settings.maxHeldPackets || bytes > settings.maxHeldBytes else { return [] }
        var displaced: [String] = []
        for each in try quota.inOrder(waiting(), uses: uses(), nowMilliseconds: nowMilliseconds).reversed() {
            guard count > settings.maxHeldPackets || bytes > settings.maxHeldBytes else { break }
            bytes -=
                try Int.fetchOne(db.cachedStatement(sql: "SELECT length(encoded) FROM held WHERE packet_id = ?"), arguments: [each.id]) ?? 0
            count -= 1
            try db.executeCached(sql: "DELETE FROM held WHERE packet_id = ?", arguments: [each.id])
            try db.executeCached(sql: "DELETE FROM seen WHERE packet_id = ?", arguments: [each.id])
            displaced.append(each.id)
        }
        try self.count(HostStore.givenUp, displaced.count)
        return displaced
    }

    /// When the quota that they wait for allows the next of the packets that wait; only reads.
    func nextRelease() throws -> Int64? {
        let uses = try usesAsStored()
        let rows = try Row.fetchAll(db.cachedStatement(sql: "SELECT DISTINCT points, program, owner, quota_limit FROM held"))
        return rows.compactMap { row in
            // A packet that an earlier version kept doesn't say.
            let limit: Int = row["quota_limit"] ?? settings.quota.limit
            return WeighedQuota(DailyQuota(limit: limit))
                .nextAllowed(for: QuotaClaim(row), uses: uses, nowMilliseconds: nowMilliseconds)
        }.min()
    }

    private func waiting() throws -> [WeighedQuota.Waiting] {
        try Row.fetchAll(db.cachedStatement(sql: "SELECT packet_id, time_ms, points, program, owner FROM held")).map { row in
            WeighedQuota.Waiting(id: row["packet_id"], timeMilliseconds: row["time_ms"], claim: QuotaClaim(row))
        }
    }

    private func uses() throws -> [WeighedQuota.Use] {
        // Uses a day from now on either side can never count again (DailyQuota).
        let window = DailyQuota.windowMilliseconds
        try db.executeCached(
            sql: "DELETE FROM quota_use WHERE time_ms NOT BETWEEN ? AND ?", arguments: [nowMilliseconds - window, nowMilliseconds + window])
        return try usesAsStored()
    }

    private func usesAsStored() throws -> [WeighedQuota.Use] {
        try Row.fetchAll(db.cachedStatement(sql: "SELECT time_ms, points, program, owner, is_reserve FROM quota_use")).map { row in
            WeighedQuota.Use(timeMilliseconds: row["time_ms"], claim: QuotaClaim(row), isReserve: row["is_reserve"])
        }
    }

    /// How many packets wait for the first destination that has no room for one more; `nil`: all have.
    private func waitingWhereFull(_ destinations: [Destination], bytes: Int) throws -> Int? {
        let waitingBytes = try Int.fetchOne(db.cachedStatement(sql: "SELECT sum(length(encoded)) FROM spool")) ?? 0
        for destination in destinations {
            let waiting =
                try Int.fetchOne(
                    db.cachedStatement(sql: "SELECT count(*) FROM spool WHERE destination = ?"), arguments: [destination.rawValue]) ?? 0
            guard waiting < settings.maxSpooledPackets, waitingBytes + bytes * destinations.count <= settings.maxSpooledBytes else {
                return waiting
            }
        }
        return nil
    }
}

extension QuotaClaim {
    fileprivate init(_ row: Row) {
        let (program, owner): (Int64, Int64) = (row["program"], row["owner"])
        self.init(points: row["points"], program: UInt64(bitPattern: program), owner: UInt64(bitPattern: owner))
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
