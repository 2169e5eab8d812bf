// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import EpitopeModel
import Scheduling
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

    /// What may wait. 64 MiB are what a center can spare, and 8,192 of the largest packets.
    static let bounds = FairQueueBounds(rows: 8192, bytes: 64 << 20)

    private let database: StoreDatabase
    private let clock: CenterClock
    private let turns: ReportTurns
    private let revocations: KnownRevocations
    private let counters: CenterCounters
    private let room: StoreRoom
    private var waiting: FairQueue<Member>
    private var isWriting = false

    init(
        database: StoreDatabase, clock: CenterClock, turns: ReportTurns, revocations: KnownRevocations,
        counters: CenterCounters = CenterCounters(), room: StoreRoom, bounds: FairQueueBounds = GroupCommit.bounds
    ) {
        self.database = database
        self.clock = clock
        self.turns = turns
        self.revocations = revocations
        self.counters = counters
        self.room = room
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
                for (member, answer) in zip(group, try await write(group)) { member.answer.resume(returning: answer) }
            } catch {
                // A disk that is full is so for all of them, and so is a server that is gone. Otherwise one of them may be the cause.
                guard error.code == .storeRefused || error.code == .storeFailed && database.isFile, group.count > 1 else {
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
                for answer in try await write([member]) { member.answer.resume(returning: answer) }
            } catch {
                member.answer.resume(returning: .failure(error))
            }
        }
    }

    private func write(_ group: [Member]) async throws(EpitopeError) -> [Result<Receipt, EpitopeError>] {
        let (clock, turns, revocations, room, reports) = (clock, turns, revocations, room, group.map(\.report))
        let (answers, counts) = try await database.append { db in
            let transaction = StoreTransaction(db: db, clock: clock)
            try room.require(in: db)
            // Before anything of the store is read: what is revoked after that waits for this transaction, or is after it.
            let state = try revocations.state(in: db)
            try transaction.follow(turns)
            let isRevoked = try reports.map { try transaction.isRevoked(senderOf: $0, asOf: state) }
            var receipts = try transaction.insert(zip(reports, isRevoked).filter { !$1 }.map(\.0), turns: turns)[...]
            let answers = zip(reports, isRevoked).map { report, isRevoked -> Result<Receipt, EpitopeError> in
                guard !isRevoked, let receipt = receipts.popFirst() else { return .failure(PeerCertificate.revoked(report.sender)) }
                return .success(receipt)
            }
            return (answers, transaction.tally.counts)
        }
        counts.add(to: counters)
        database.ring(.reports)
        return answers
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
