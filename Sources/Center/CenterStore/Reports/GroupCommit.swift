// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SQLiteStore
import SecureChannel

/// Stores reports that arrive at the same time in one transaction, so that they share its wait for the disk: the rate
/// is the disk's syncs per second times the reports that arrive during one.
///
/// What waits for its transaction is bounded, in all and for each reporter, and reporters take turns: who sends more than
/// there is time for delays itself.
actor GroupCommit {
    private struct Member {
        var report: ArrivingReport
        var answer: CheckedContinuation<Result<Receipt, EpitopeError>, Never>
    }

    /// Of a transaction: a disk takes 2 MiB in one write, and whoever waits behind it waits for no more than that.
    private static let maxGroup = (rows: 256, bytes: 2 << 20)

    private let database: SQLiteStore
    private let clock: CenterClock
    private let turns: ReportTurns
    private var waiting: FairQueue<Member>
    private var isWriting = false

    init(database: SQLiteStore, clock: CenterClock, turns: ReportTurns, bounds: FairQueueBounds = FairQueueBounds()) {
        self.database = database
        self.clock = clock
        self.turns = turns
        waiting = FairQueue(bounds)
    }

    func store(_ report: ArrivingReport) async throws(EpitopeError) -> Receipt {
        if let refusal = waiting.refusal(of: report.sender.reporter, bytes: report.bytes) {
            throw Self.error(refusal, waiting: waiting.count, report.sender)
        }
        let result = await withCheckedContinuation { answer in
            waiting.add(Member(report: report, answer: answer), of: report.sender.reporter, bytes: report.bytes)
            if !isWriting {
                isWriting = true
                Task { await self.writeAll() }
            }
        }
        return try result.get()
    }

    private func writeAll() async {
        while !waiting.isEmpty {
            let group = waiting.take(maxRows: Self.maxGroup.rows, maxBytes: Self.maxGroup.bytes)
            do throws(EpitopeError) {
                let receipts = try await write(group)
                for (member, receipt) in zip(group, receipts) { member.answer.resume(returning: .success(receipt)) }
            } catch {
                // A disk that is full is so for all of them. Otherwise one of them may be the cause.
                guard error.code == .storeFailed || error.code == .storeRefused, group.count > 1 else {
                    for member in group { member.answer.resume(returning: .failure(error)) }
                    continue
                }
                await writeSingly(group)
            }
        }
        isWriting = false
    }

    private func writeSingly(_ group: [Member]) async {
        for member in group {
            do throws(EpitopeError) {
                for receipt in try await write([member]) { member.answer.resume(returning: .success(receipt)) }
            } catch {
                member.answer.resume(returning: .failure(error))
            }
        }
    }

    private func write(_ group: [Member]) async throws(EpitopeError) -> [Receipt] {
        let (clock, turns, reports) = (clock, turns, group.map(\.report))
        return try await database.write { db in
            let transaction = StoreTransaction(db: StoreConnection(sqlite: db), clock: clock)
            return try reports.map { try transaction.insert($0, turns: turns) }
        }
    }

    private static func error(_ refusal: FairQueueRefusal, waiting: Int, _ sender: Identity) -> EpitopeError {
        switch refusal {
        case .full:
            EpitopeError(
                .storeBusy, "\(waiting) messages are waiting to be stored",
                remedy: "send again in a moment; if this persists, the disk is too slow for the rate of messages", retryAfterSeconds: 2)
        case .shareUsed:
            EpitopeError(
                .senderBusy, "too many messages of \(sender.name) are waiting to be stored",
                remedy: "send again in a moment, and fewer at a time: others are waiting, too", retryAfterSeconds: 2)
        }
    }
}
