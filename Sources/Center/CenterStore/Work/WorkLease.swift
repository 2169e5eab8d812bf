// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import PostgresStore
import Synchronization

/// That one center of several over one database does the work: analysis, proofs, rules, what goes to the global center and comes from it,
/// retention. The others take in packets, enrol, and answer.
///
/// The row names who has the work, by a word that is new each time that it is taken, and until when, by the database's clock. Who has it
/// says so again and again; after the time is over anybody may take it. A center that was frozen meanwhile and goes on finds another word
/// in the row, in each transaction of its work: nothing that it had in memory by then gets into the store.
enum WorkLease {
    /// How long it lasts unless it is renewed: that long nothing is analysed after a center was lost.
    static let time = Duration.seconds(10)

    /// The database's clock, in milliseconds since 1970.
    fileprivate static let isFree = "name = 'work' AND until_ms <= \(now)"
    fileprivate static let now = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
}

/// The word by which one center has the work.
final class WorkFence: Sendable {
    let owner: String
    private let lost = Atomic(false)

    init(owner: String) { self.owner = owner }

    /// Whether another center was found to have the work.
    var isLost: Bool { lost.load(ordering: .relaxed) }

    func lose() { lost.store(true, ordering: .relaxed) }
}

extension StoreConnection {
    fileprivate func isWorkFree() throws -> Bool {
        try Bool.fetchOne(self, sql: "SELECT EXISTS (SELECT 1 FROM work_lease WHERE \(WorkLease.isFree))") ?? false
    }
}

extension StoreTransaction {
    /// Makes sure that the work is still whose fence it is. Nobody can take it before this transaction ends: for that, too, is one of
    /// those of which there is one at a time.
    ///
    /// - Throws: `work-moved`.
    func require(_ fence: WorkFence) throws {
        guard try workOwner() == fence.owner else {
            fence.lose()
            throw EpitopeError.workMoved
        }
    }

    private func workOwner() throws -> String? {
        try String.fetchOne(db.cachedStatement(sql: "SELECT owner FROM work_lease WHERE name = 'work'"), arguments: [])
    }
}

extension CenterStore {
    /// Takes the work if nobody has it.
    ///
    /// - Parameter holder: this center, for people.
    /// - Returns: `nil`: another center has it.
    func takeWork(as holder: String) async throws(EpitopeError) -> WorkFence? {
        // Most looks find that it isn't free: they keep nobody from writing.
        guard case .postgres(let store) = database, try await store.ask({ try StoreConnection.postgres($0).isWorkFree() }) else {
            return nil
        }
        let owner = String(UInt64.random(in: .min ... .max), radix: 36)
        let isTaken = try await transaction { transaction in
            let db = transaction.db
            try db.execute(
                sql: """
                    UPDATE work_lease SET owner = ?, holder = ?, until_ms = \(WorkLease.now) + ?
                    WHERE \(WorkLease.isFree)
                    """,
                arguments: [owner, holder, WorkLease.time.inMilliseconds])
            return db.changesCount > 0
        }
        return isTaken ? WorkFence(owner: owner) : nil
    }

    /// Keeps the work for another while. It may be late: as long as nobody has taken it, it is not lost.
    ///
    /// - Returns: `false`: another center has it.
    func renewWork(_ fence: WorkFence) async throws(EpitopeError) -> Bool {
        try await setWorkEnd("\(WorkLease.now) + \(WorkLease.time.inMilliseconds)", fence)
    }

    /// Lets go of the work, so that another center needn't wait for the end of its time.
    func releaseWork(_ fence: WorkFence) async throws(EpitopeError) {
        _ = try await setWorkEnd("0", fence)
        database.ring(.work)
    }

    /// It waits for no transaction of the work.
    private func setWorkEnd(_ end: String, _ fence: WorkFence) async throws(EpitopeError) -> Bool {
        try await append { transaction in
            let db = transaction.db
            try db.execute(
                sql: "UPDATE work_lease SET until_ms = \(end) WHERE name = 'work' AND owner = ?", arguments: [fence.owner])
            return db.changesCount > 0
        }
    }

    /// Makes sure that the centers over a database are one: of one kind, with one authority, or with two while it is replaced.
    ///
    /// - Parameters:
    ///   - center: its name, by its authority.
    ///   - formerly: by the authority before, which the database may have it by; from then on it has the present one.
    ///   - later: by the authority that is to follow, which the others may have already.
    /// - Throws: `store-of-another-center`.
    public func claim(as center: String, formerly: String? = nil, later: String? = nil) async throws(EpitopeError) {
        let owner = try await transaction { transaction in
            if let owner = try transaction.mark(.center), owner != formerly { return owner }
            try transaction.setMark(.center, center)
            return center
        }
        guard owner == center || owner == later else {
            throw EpitopeError(
                .storeOfAnotherCenter, "the database is that of another center: \(owner); this one is \(center)",
                remedy:
                    "name another database; for a second machine of the same center restore a backup of the first there (`backup`, `restore`)"
            )
        }
    }

    /// Who has the work, for people; `nil`: nobody, or the store is a file, over which there is one center.
    public func workHolder() async throws(EpitopeError) -> String? {
        try await snapshot { transaction in
            guard case .postgres = transaction.db else { return nil }
            return try String.fetchOne(
                transaction.db, sql: "SELECT holder FROM work_lease WHERE name = 'work' AND until_ms > \(WorkLease.now)")
        }
    }
}
