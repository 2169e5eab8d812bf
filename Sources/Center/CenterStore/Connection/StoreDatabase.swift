// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PostgresStore
import SQLiteStore

/// Where a store lies.
enum StoreDatabase: Sendable {
    case sqlite(SQLiteStore)
    case postgres(PostgresStore)

    /// Runs a step that only reads, on one state of the store.
    func read<Value: Sendable>(_ body: @escaping @Sendable (StoreConnection) throws -> Value) async throws(EpitopeError) -> Value {
        switch self {
        case .sqlite(let store): try await store.read { try body(.sqlite($0)) }
        case .postgres(let store): try await store.read { try body(.postgres($0)) }
        }
    }

    /// Runs a step as one transaction, beside no other one of this kind. What it did in memory must do no harm if the step is run again.
    ///
    /// - Parameter topic: what other processes are told of where it changed something; `nil`: nothing.
    func write<Value: Sendable>(
        telling topic: StoreTopic?, _ body: @escaping @Sendable (StoreConnection) throws -> Value
    ) async throws(EpitopeError) -> Value {
        switch self {
        case .sqlite(let store): try await store.write { try body(.sqlite($0)) }
        case .postgres(let store): try await store.write(ringing: topic?.rawValue) { try body(.postgres($0)) }
        }
    }

    /// Runs a step as one transaction that may be beside others, where the database allows that: it only adds rows, or changes one that
    /// nothing is decided by, and finds rows that others add meanwhile by what they conflict with.
    func append<Value: Sendable>(_ body: @escaping @Sendable (StoreConnection) throws -> Value) async throws(EpitopeError) -> Value {
        switch self {
        case .sqlite(let store): try await store.write { try body(.sqlite($0)) }
        case .postgres(let store): try await store.append { try body(.postgres($0)) }
        }
    }

    var isFile: Bool { if case .sqlite = self { true } else { false } }

    /// Tells the other processes that have the store open, soon, and without waiting for it. Of a file they hear otherwise.
    func ring(_ topic: StoreTopic) {
        if case .postgres(let store) = self { store.ring(topic.rawValue) }
    }
}

/// What other centers of a store are told of.
public enum StoreTopic: String, Hashable, Sendable, CaseIterable {
    /// Reports came in.
    case reports
    /// Somebody decided something.
    case decisions
    /// The feed has grown.
    case feed
    /// The work is free to be taken.
    case work
}
