// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import GRDB
import PacketCoding
import Signatures

extension CenterStore {
    /// Stores a report. When this returns, the report is on the disk; a report that the store has already is
    /// acknowledged again and not stored twice.
    ///
    /// - Throws: `disk-full`, `store-busy`, `sender-busy`, `store-failed`, `store-unusable`. After an error the sender must keep
    ///   the report.
    public func add(_ report: Report) async throws(EpitopeError) -> Receipt {
        try await groupCommit.store(ArrivingReport(report))
    }
}

/// A report as the rows that it becomes, made before its turn to be written comes.
struct ArrivingReport: Sendable {
    var id: String
    var kind: String
    var sender: Identity
    var host: String?
    /// A packet's wire form, without the code where that is shared.
    var packet: Data?
    var code: SharedBody?
    var signature: String?
    /// The address that a host's connection came from.
    var source: String?

    /// What it takes of memory while it waits, and about what of the disk.
    var bytes: Int { 256 + (packet?.count ?? 0) + (code?.bytes.count ?? 0) + (signature?.utf8.count ?? 0) }
}

extension ArrivingReport {
    init(_ report: Report) throws(EpitopeError) {
        switch report.body {
        case .packet(let packet):
            self.init(id: report.id, kind: "packet", sender: report.sender, source: packet.source?.description)
            setPacket(packet.bytes)
        case .forward(let forward):
            self.init(
                id: report.id, kind: "forward", sender: report.sender, host: forward.reporter,
                signature: try RowCoding.json(forward.signature))
            setPacket(forward.packet.encoded())
        case .update(let update):
            self.init(id: report.id, kind: "update", sender: report.sender, signature: try RowCoding.json(update.signature))
        }
    }

    private mutating func setPacket(_ bytes: [UInt8]) {
        guard let divided = DividedPacket(bytes) else { return packet = Data(bytes) }
        packet = Data(divided.frame)
        code = SharedBody(hash: Data(SHA256.hash(data: divided.code)), bytes: Data(divided.code), place: divided.place)
    }
}

extension StoreTransaction {
    /// Adds a report's rows, unless the store has the report.
    ///
    /// An id is the word of who made it: where another reporter has used it before, the report is stored under an id of its own, so that
    /// nobody keeps another's report out.
    func insert(_ arriving: ArrivingReport, turns: ReportTurns) throws -> Receipt {
        let now = nowMilliseconds
        var report = arriving
        let select = try db.cachedStatement(sql: ArrivingReport.selectKnown)
        while let known = try Row.fetchOne(select, arguments: [report.id]) {
            let (maker, time): (String, Int64) = (known["maker"], known["received_ms"])
            guard maker != report.maker, report.id == arriving.id else {
                return Receipt(id: arriving.id, storedMilliseconds: time, wasKnown: true)
            }
            report.id = "\(arriving.id) of \(report.maker)"
        }
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO reports (id, kind, role, name, host, received_ms, packet, body_id, body_at, signature, source)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        try insert.execute(arguments: [
            report.id, report.kind, report.sender.role.rawValue, report.sender.name, report.host, now, report.packet,
            try report.code.map(bodyID), report.code?.place, report.signature, report.source,
        ])
        let sequence = db.lastInsertedRowID
        let queue = try db.cachedStatement(sql: "INSERT INTO waiting_reports (report_seq, turn) VALUES (?, ?)")
        try queue.execute(arguments: [sequence, try turns.next(of: report.sender.reporter, first: leastTurn)])
        try record(.stored, report.id, "\(report.kind) from \(report.sender.reporter)")
        return Receipt(id: arriving.id, storedMilliseconds: now, wasKnown: false)
    }

    /// The number of a body, which is added where the store does not have it.
    private func bodyID(_ body: SharedBody) throws -> Int64 {
        let select = try db.cachedStatement(sql: SharedBody.selectID)
        if let known = try Int64.fetchOne(select, arguments: [body.hash]) { return known }
        let insert = try db.cachedStatement(sql: "INSERT INTO bodies (hash, bytes) VALUES (?, ?)")
        try insert.execute(arguments: [body.hash, body.bytes])
        return db.lastInsertedRowID
    }
}

extension ArrivingReport {
    static let selectKnown = "SELECT received_ms, coalesce(host, name) AS maker FROM reports WHERE id = ?"

    /// The host that made a packet, also where a site passes it on; the site of an update.
    fileprivate var maker: String { host ?? sender.name }
}

extension SharedBody {
    static let selectID = "SELECT id FROM bodies WHERE hash = ?"
}
