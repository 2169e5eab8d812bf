// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import PostgresStore
import SQLiteStore
public import Signatures

/// What a store held at the moment that a copy is of.
public struct StoreFacts: Hashable, Sendable, Codable {
    /// The steps of its schema, in their order.
    public var schema: [String]
    /// The packets, and other reports.
    public var reports: Int
    public var revocations: Int
    /// The last entry of this center's own feed; a site that has read further, or reads on after a restore, is known by its mark.
    public var feedEnd: FeedPosition
    /// How far the global center's feed was read.
    public var subscription: FeedPosition

    public init(schema: [String], reports: Int, revocations: Int, feedEnd: FeedPosition, subscription: FeedPosition) {
        self.schema = schema
        self.reports = reports
        self.revocations = revocations
        self.feedEnd = feedEnd
        self.subscription = subscription
    }
}

extension CenterStore {
    /// The steps of the schema that this version knows, in their order.
    public static var knownSchema: [String] { Schema.migrator.migrations }

    /// The steps of the schema of a store in PostgreSQL that this version knows, in their order.
    public static var knownPostgresSchema: [String] { PostgresSchema.migrations.map(\.name) }

    /// Whether the store is a file: one in PostgreSQL is not copied, but kept by the server's own means.
    public var isFile: Bool { database.isFile }

    /// Copies the store as it is now to another file, while others work on it.
    ///
    /// - Parameters:
    ///   - path: an empty file, or none.
    ///   - progress: called now and then with how many pages are copied, and of how many; what it throws ends the copy.
    /// - Throws: `disk-full` for the copy's disk, too; `store-failed`, `store-unusable`; what `progress` throws. A store in PostgreSQL is
    ///   not copied: `store-in-postgresql`.
    public func copy(
        to path: String, progress: @escaping @Sendable (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
    ) async throws(EpitopeError) -> StoreFacts {
        guard case .sqlite(let store) = database else { throw .storeInPostgres }
        return try await store.copy(to: path, progress: progress) { db in
            try StoreTransaction(db: .sqlite(db), clock: .system).facts(schema: try Schema.appliedSteps(db))
        }
    }

    /// What a store in PostgreSQL holds now.
    public func facts() async throws(EpitopeError) -> StoreFacts {
        try await snapshot { transaction in
            try transaction.facts(schema: try String.fetchAll(transaction.db, sql: "SELECT name FROM migrations ORDER BY name"))
        }
    }

    /// Looks through all of a store's file.
    ///
    /// - Returns: what is damaged; `nil`: nothing.
    public static func damage(in path: String) -> String? { SQLiteStore.damage(in: path) }
}

extension StoreTransaction {
    fileprivate func facts(schema: [String]) throws -> StoreFacts {
        func count(_ table: String) throws -> Int { try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)") ?? 0 }
        let end = try Row.fetchOne(db, sql: "SELECT sequence, mark FROM feed ORDER BY sequence DESC LIMIT 1")
        return StoreFacts(
            schema: schema, reports: try count("reports"), revocations: try count("revocations"),
            feedEnd: end.map { FeedPosition(sequence: $0["sequence"], mark: UInt64(bitPattern: $0["mark"] as Int64)) } ?? .start,
            subscription: try subscriptionPosition())
    }
}

extension EpitopeError {
    static let storeInPostgres = EpitopeError(
        .storeInPostgres, "the store is in PostgreSQL, and is not copied by this program",
        remedy: "keep it by the server's own means: pg_basebackup, or pg_dump")
}

extension EpitopeError.Code {
    /// The store is in PostgreSQL, which keeps it by its own means.
    public static let storeInPostgres = EpitopeError.Code("store-in-postgresql")
}

extension Schema {
    /// In the order in which this version makes them, those of a later version at the end.
    fileprivate static func appliedSteps(_ db: Database) throws -> [String] {
        let applied = try migrator.appliedIdentifiers(db)
        let known = migrator.migrations
        return known.filter(applied.contains) + applied.subtracting(known).sorted()
    }
}
