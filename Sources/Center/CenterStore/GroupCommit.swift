// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
internal import FoundationEssentials
internal import GRDB

/// Stores reports that arrive at once in one transaction, so that they share its wait for the disk: the store takes
/// as many a second as the disk can sync, times as many as arrive meanwhile.
actor GroupCommit {
    struct Row: Sendable {
        var id: String
        var kind: String
        var sender: Identity
        var host: String?
        var packet: Data?
        var signature: String?
    }

    /// The most reports of one transaction: 256 packets of 8 KiB are 2 MiB, which a disk takes in one go.
    private static let largestGroup = 256
    /// The most reports that wait; beyond it senders are told to come back, and keep what they have.
    static let mostWaiting = 8192

    private let pool: DatabasePool
    private let path: String
    private let clock: CenterClock
    private let mostWaiting: Int
    private var waiting: [(row: Row, answer: CheckedContinuation<Result<Receipt, EpitopeError>, Never>)] = []
    private var isWriting = false

    init(pool: DatabasePool, path: String, clock: CenterClock, mostWaiting: Int = GroupCommit.mostWaiting) {
        self.pool = pool
        self.path = path
        self.clock = clock
        self.mostWaiting = mostWaiting
    }

    func store(_ row: Row) async throws(EpitopeError) -> Receipt {
        guard waiting.count < mostWaiting else {
            throw EpitopeError(
                .storeBusy, "\(waiting.count) messages wait to be stored",
                remedy: "send again in a moment; where it lasts, the disk is too slow for what comes in")
        }
        let result = await withCheckedContinuation { answer in
            waiting.append((row, answer))
            if !isWriting {
                isWriting = true
                Task { await self.writeAll() }
            }
        }
        return try result.get()
    }

    private func writeAll() async {
        while !waiting.isEmpty {
            let group = Array(waiting.prefix(Self.largestGroup))
            waiting.removeFirst(group.count)
            let rows = group.map(\.row)
            do {
                let clock = clock
                let receipts = try await pool.write { db in
                    try rows.map { try Self.insert($0, db: db, clock: clock) }
                }
                for (member, receipt) in zip(group, receipts) { member.answer.resume(returning: .success(receipt)) }
            } catch {
                let failure = EpitopeError.store(error, path: path)
                for member in group { member.answer.resume(returning: .failure(failure)) }
            }
        }
        isWriting = false
    }

    private static func insert(_ row: Row, db: Database, clock: CenterClock) throws -> Receipt {
        let precise = clock.preciseMilliseconds()
        let now = clock.nowMilliseconds
        let insert = try db.cachedStatement(
            sql: """
                INSERT INTO reports (id, kind, role, name, host, received_ms, packet, signature)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
                """)
        try insert.execute(arguments: [
            row.id, row.kind, row.sender.role.rawValue, row.sender.name, row.host, now, row.packet, row.signature,
        ])
        guard db.changesCount > 0 else {
            let known = try Int64.fetchOne(db, sql: "SELECT received_ms FROM reports WHERE id = ?", arguments: [row.id])
            return Receipt(id: row.id, storedMilliseconds: known ?? now, wasKnown: true)
        }
        try db.record(.stored, row.id, "\(row.kind) from \(row.sender.reporter)", at: precise)
        return Receipt(id: row.id, storedMilliseconds: now, wasKnown: false)
    }
}
