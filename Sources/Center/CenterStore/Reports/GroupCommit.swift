// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import GRDB
import SQLiteStore
import SecureChannel

/// Stores reports that arrive at the same time in one transaction, so that they share its wait for the disk: the rate
/// is the disk's syncs per second times the reports that arrive during one.
actor GroupCommit {
    struct Row: Sendable {
        var id: String
        var kind: String
        var sender: Identity
        var host: String?
        var packet: Data?
        var signature: String?
    }

    /// Reports per transaction: 256 packets of 8 KiB are 2 MiB, which a disk takes in one write.
    private static let maxGroupSize = 256
    /// Reports that may wait for their transaction; beyond it senders get `store-busy` and keep theirs.
    static let maxWaiting = 8192

    private let database: SQLiteStore
    private let clock: CenterClock
    private let maxWaiting: Int
    private var waiting: [(row: Row, answer: CheckedContinuation<Result<Receipt, EpitopeError>, Never>)] = []
    private var isWriting = false

    init(database: SQLiteStore, clock: CenterClock, maxWaiting: Int = GroupCommit.maxWaiting) {
        self.database = database
        self.clock = clock
        self.maxWaiting = maxWaiting
    }

    func store(_ row: Row) async throws(EpitopeError) -> Receipt {
        guard waiting.count < maxWaiting else {
            throw EpitopeError(
                .storeBusy, "\(waiting.count) messages are waiting to be stored",
                remedy: "send again in a moment; if this persists, the disk is too slow for the rate of messages")
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
            let group = Array(waiting.prefix(Self.maxGroupSize))
            waiting.removeFirst(group.count)
            let rows = group.map(\.row)
            do throws(EpitopeError) {
                let clock = clock
                let receipts = try await database.write { db in
                    try rows.map { try Self.insert($0, db: db, clock: clock) }
                }
                for (member, receipt) in zip(group, receipts) { member.answer.resume(returning: .success(receipt)) }
            } catch {
                for member in group { member.answer.resume(returning: .failure(error)) }
            }
        }
        isWriting = false
    }

    private static func insert(_ row: Row, db: Database, clock: CenterClock) throws -> Receipt {
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
        try StoreTransaction(db: db, clock: clock).record(.stored, row.id, "\(row.kind) from \(row.sender.reporter)")
        return Receipt(id: row.id, storedMilliseconds: now, wasKnown: false)
    }
}
