// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FileAccess
import FoundationEssentials
import GRDB
import PacketCoding
import SecureChannel
import Signatures

extension CenterStore {
    /// Stores a report. When this returns, the report is on the disk; a report that the store has already is
    /// acknowledged again and not stored twice.
    ///
    /// - Throws: `revoked`, `disk-full`, `store-busy`, `sender-busy`, `store-failed`, `store-unusable`. After an error the sender must
    ///   keep the report.
    public func add(_ report: Report) async throws(EpitopeError) -> Receipt {
        var arriving = try ArrivingReport(report)
        if let network = knownSources.latest(of: report.sender) { arriving.machine = network }
        await pace(arriving.holders)
        if let issued = report.issuedMilliseconds { arriving.certificate = try await inForce(report.sender, issuedMilliseconds: issued) }
        return try await groupCommit.store(arriving)
    }

    /// - Throws: `revoked`.
    private func inForce(_ sender: Identity, issuedMilliseconds: Int64) async throws(EpitopeError) -> ArrivingReport.Certificate {
        let revoked = try await knownRevocation(of: sender)
        if let time = revoked.time, time >= issuedMilliseconds { throw PeerCertificate.revoked(sender) }
        return ArrivingReport.Certificate(issuedMilliseconds: issuedMilliseconds, asOf: revoked.asOf)
    }

    /// Holds back a reporter who is ahead of the analysis (``ReportTurns``), for a second at most: what it sends is stored whatever the
    /// analysis does.
    private func pace(_ holders: [String]) async {
        let end = ContinuousClock.now + .seconds(1)
        while turns.isAhead(holders), ContinuousClock.now < end, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(20)) }
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
    /// What the site concluded that forwards a packet, as JSON.
    var conclusion: String?
    /// The address that a host's connection came from.
    var source: String?
    /// The machine that it came from, at a global center the network; `nil`: that isn't known.
    var machine: String?
    /// The sender's; `nil`: nobody sent it.
    var certificate: Certificate?

    /// A certificate that was in force when its sender's message was put in the queue.
    struct Certificate: Hashable, Sendable {
        var issuedMilliseconds: Int64
        /// The state of the revocations then.
        var asOf: RevocationState
    }

    /// In whose turns it is analysed: neither other names on one machine nor other machines under one name bring more of them.
    var holders: [String] { [sender.reporter] + (machine.map { [$0] } ?? []) }

    /// What it takes of memory while it waits, and about what of the disk.
    var bytes: Int { 256 + (packet?.count ?? 0) + (code?.bytes.count ?? 0) + (signature?.utf8.count ?? 0) + (conclusion?.utf8.count ?? 0) }
}

extension ArrivingReport {
    init(_ report: Report) throws(EpitopeError) {
        switch report.body {
        case .packet(let packet):
            self.init(id: report.id, kind: "packet", sender: report.sender, source: packet.source?.description)
            machine = packet.source.map { IPNetwork.machine(of: $0).description }
            setPacket(packet.bytes)
        case .forward(let forward):
            self.init(
                id: report.id, kind: "forward", sender: report.sender, host: forward.reporter,
                signature: try RowCoding.json(forward.signature))
            conclusion = try forward.conclusion.map { conclusion throws(EpitopeError) in try RowCoding.json(conclusion) }
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

    /// What is left to store of a forward whose packet the store has already: the site's conclusion, with the signature; `nil`: nothing.
    /// The host may have sent the packet straight, or the site forwarded it before it concluded anything.
    ///
    /// - Parameter known: what the store has.
    fileprivate func concluding(beside known: KnownReport) -> ArrivingReport? {
        guard conclusion != nil, packet != nil, known.sender != sender.reporter || !known.isConcluded else { return nil }
        var report = self
        (report.id, report.host, report.packet, report.code) = ("\(sender.name)/\(id)/concluded", nil, nil, nil)
        return report
    }
}

/// What the store has under the id of a report that comes in.
private struct KnownReport {
    /// Who made it.
    var maker: String
    /// Who sent it, as evidence knows it.
    var sender: String
    /// When it was stored.
    var time: Int64
    /// Whether a conclusion came with it.
    var isConcluded: Bool
}

extension StoreTransaction {
    /// Whether a report's sender was revoked while it waited. Only where somebody was, that is asked of the store.
    ///
    /// - Parameter state: the state of the revocations in this transaction.
    func isRevoked(senderOf report: ArrivingReport, asOf state: RevocationState) throws -> Bool {
        guard let certificate = report.certificate, certificate.asOf != state else { return false }
        return try revocation(of: report.sender).map { $0 >= certificate.issuedMilliseconds } ?? false
    }

    /// Adds a report's rows, unless the store has the report.
    ///
    /// An id is the word of who made it: where another reporter has used it before, the report is stored under an id of its own, so that
    /// nobody keeps another's report out.
    func insert(_ arriving: ArrivingReport, turns: ReportTurns) throws -> Receipt {
        let now = nowMilliseconds
        var report = arriving
        while true {
            if let known = try known(report) {
                if known.maker != report.maker, report.id == arriving.id {
                    report.id = "\(arriving.id) of \(report.maker)"
                } else if let concluding = report.concluding(beside: known) {
                    report = concluding
                } else {
                    return Receipt(id: arriving.id, storedMilliseconds: known.time, wasKnown: true)
                }
                continue
            }
            // `nil`: another center has stored one of that id just now, which is seen then.
            guard let sequence = try add(report, nowMilliseconds: now) else { continue }
            let queue = try db.cachedStatement(sql: "INSERT INTO waiting_reports (report_seq, turn) VALUES (?, ?)")
            try queue.execute(arguments: [sequence, try turns.next(of: report.holders, first: leastTurn)])
            try record(.stored, report.id, report.storedDetail)
            return Receipt(id: arriving.id, storedMilliseconds: now, wasKnown: false)
        }
    }

    /// `nil`: the store has no report of that id.
    private func known(_ report: ArrivingReport) throws -> KnownReport? {
        let select = try db.cachedStatement(sql: ArrivingReport.selectKnown)
        return try Row.fetchOne(select, arguments: [report.id]).map { row in
            let (role, name): (String, String) = (row["role"], row["name"])
            return KnownReport(maker: row["maker"], sender: "\(role):\(name)", time: row["received_ms"], isConcluded: row["concluded"])
        }
    }

    /// - Returns: the number of the row; `nil`: there is one of that id.
    private func add(_ report: ArrivingReport, nowMilliseconds now: Int64) throws -> Int64? {
        try db.insertIfAbsent(
            sql: """
                INSERT INTO reports (id, kind, role, name, host, received_ms, packet, body_id, body_at, signature, source, conclusion)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                report.id, report.kind, report.sender.role.rawValue, report.sender.name, report.host, now, report.packet,
                try report.code.map(bodyID), report.code?.place, report.signature, report.source, report.conclusion,
            ], conflict: "id", returning: "seq")
    }

    /// The number of a body, which is added where the store does not have it.
    private func bodyID(_ body: SharedBody) throws -> Int64 {
        while true {
            let select = try db.cachedStatement(sql: SharedBody.selectID)
            if let known = try Int64.fetchOne(select, arguments: [body.hash]) { return known }
            let added = try db.insertIfAbsent(
                sql: "INSERT INTO bodies (hash, bytes) VALUES (?, ?)", arguments: [body.hash, body.bytes], conflict: "hash", returning: "id"
            )
            if let added { return added }
        }
    }

    /// Takes over how far the analysis is, where another center does it.
    func follow(_ turns: ReportTurns) throws {
        guard case .postgres = db, let least = try leastTurn() else { return }
        turns.follow(least)
    }
}

extension ArrivingReport {
    static let selectKnown = """
        SELECT received_ms, role, name, coalesce(host, name) AS maker, CAST(CASE WHEN conclusion IS NULL THEN 0 ELSE 1 END AS BIGINT) AS concluded
        FROM reports WHERE id = ?
        """

    /// The host that made a packet, also where a site passes it on; the site of an update.
    fileprivate var maker: String { host ?? sender.name }
}

extension SharedBody {
    static let selectID = "SELECT id FROM bodies WHERE hash = ?"
}
