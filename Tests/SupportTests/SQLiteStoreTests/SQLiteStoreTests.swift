// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GRDB
import SQLiteStore
import Scheduling
import TestSupport
import Testing

/// Stores are opened alike, keep what was committed, and say what failed.
@Suite struct SQLiteStoreTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var path: String { folder.path + "/state/deep/store.sqlite" }

    private func open(_ change: (inout SQLiteStore.Settings) -> Void = { _ in }) throws(EpitopeError) -> SQLiteStore {
        var settings = SQLiteStore.Settings(label: "test")
        change(&settings)
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1") { try $0.execute(sql: "CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)") }
        return try SQLiteStore(path: path, settings, migrator: migrator) { failure, path in
            let code =
                switch failure {
                case .unopenable: "unopenable"
                case .full: "full"
                case .busy: "busy"
                case .damaged: "damaged"
                case .failed: "failed"
                case .other: "other"
                }
            return EpitopeError(EpitopeError.Code(code), "\(path): \(failure)", remedy: "none")
        }
    }

    private func openingCode(_ change: (inout SQLiteStore.Settings) -> Void = { _ in }) -> String? {
        do throws(EpitopeError) {
            _ = try open(change)
            return nil
        } catch {
            return error.code.rawValue
        }
    }

    private func permissions(_ path: String) throws -> mode_t {
        var status = stat()
        try #require(stat(path, &status) == 0)
        return status.st_mode & 0o7777
    }

    @Test(arguments: [true, false]) func `commits are on the disk and the file is its owner's`(isPrivate: Bool) async throws {
        let store = try open { $0.isPrivate = isPrivate }
        // 2 is FULL. GRDB sets NORMAL as it opens a pool, whatever was set before.
        #expect(try await store.pool.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") } == 2)
        #expect(try await store.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") } == "wal")
        if isPrivate {
            #expect(try await store.read { try Int.fetchOne($0, sql: "PRAGMA secure_delete") } == 1)
            #expect(try await store.read { try Int.fetchOne($0, sql: "PRAGMA trusted_schema") } == 0)
        }
        for file in [path, path + "-wal"] { #expect(try permissions(file) == 0o600) }
        #expect(try permissions(folder.path + "/state") == 0o700)
        try await store.write { try $0.execute(sql: "INSERT INTO notes VALUES ('kept')") }
        try store.pool.close()
        let again = try open { $0.isPrivate = isPrivate }
        #expect(try await again.read { try String.fetchOne($0, sql: "SELECT text FROM notes") } == "kept")
    }

    @Test func `rights and links are a private store's to refuse`() throws {
        try open().pool.close()
        chmod(path, 0o644)
        try open().pool.close()
        #expect(try permissions(path) == 0o644, "as its owner left it")
        try open { $0.isPrivate = true }.pool.close()
        #expect(try permissions(path) == 0o600)
        let other = path + ".other"
        try FileManager.default.moveItem(atPath: path, toPath: other)
        #expect(symlink(other, path) == 0)
        #expect(openingCode { $0.isPrivate = true } == "unopenable")
        #expect(openingCode() == nil)
    }

    @Test func `failures are told apart`() async throws {
        let store = try open { $0.maxBytes = 20 * 4096 }
        #expect(await code { try await store.write { try $0.execute(sql: "INSERT INTO notes VALUES (hex(zeroblob(200000)))") } } == "full")
        #expect(await code { try await store.write { try $0.execute(sql: "INSERT INTO nowhere VALUES (1)") } } == "failed")
        struct Other: Error {}
        #expect(await code { try await store.read { _ in throw Other() } } == "other")
        let own = EpitopeError(EpitopeError.Code("own"), "what", remedy: "none")
        #expect(await code { try await store.write { _ in throw own } } == "own", "an error of the step's own passes")
        try store.pool.close()
        // Without the log that SQLite would mend the file from.
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path + "/state/deep") {
            try FileManager.default.removeItem(atPath: "\(folder.path)/state/deep/\(file)")
        }
        try Data(repeating: 0x55, count: 8192).write(to: URL(fileURLWithPath: path))
        #expect(openingCode() == "damaged")
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(openingCode() == "unopenable")
    }

    @Test func `a store that another holds locked is busy`() async throws {
        let holder = try open()
        let waiting = try open { $0.busySeconds = 0.05 }
        let (locked, tried) = (Completion<Void>(), DispatchSemaphore(value: 0))
        async let holding: Void = holder.pool.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN IMMEDIATE")
            locked.complete(())
            tried.wait()
            try db.execute(sql: "ROLLBACK")
        }
        await locked.value()
        #expect(await code { try await waiting.write { try $0.execute(sql: "INSERT INTO notes VALUES ('late')") } } == "busy")
        tried.signal()
        try await holding
        #expect(await code { try await waiting.write { try $0.execute(sql: "INSERT INTO notes VALUES ('late')") } } == nil)
    }

    @Test func `room for the log is written ahead once, and nothing of the log is lost`() async throws {
        let store = try open()
        try await store.write { try $0.execute(sql: "INSERT INTO notes VALUES ('before')") }
        await store.reserveLog()
        let reserved = try length(path + "-wal")
        let pages = try #require(try await store.read { try Int.fetchOne($0, sql: "PRAGMA wal_autocheckpoint") })
        #expect(reserved > pages * 4096)
        await store.reserveLog()
        let other = try open()
        try await other.write { try $0.execute(sql: "INSERT INTO notes VALUES ('after')") }
        #expect(try length(path + "-wal") == reserved, "a commit takes of the room")
        #expect(try await store.read { try String.fetchAll($0, sql: "SELECT text FROM notes") } == ["before", "after"])

        // As a crash leaves the files.
        let copy = folder.path + "/copy.sqlite"
        for end in ["", "-wal"] { try FileManager.default.copyItem(atPath: path + end, toPath: copy + end) }
        let recovered = try DatabasePool(path: copy)
        #expect(try await recovered.read { try String.fetchAll($0, sql: "SELECT text FROM notes") } == ["before", "after"])
        #expect(try await recovered.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
    }

    private func length(_ path: String) throws -> Int {
        var status = stat()
        try #require(stat(path, &status) == 0)
        return Int(status.st_size)
    }

    /// The code of what was thrown.
    private func code(_ work: () async throws -> Void) async -> String? {
        do {
            try await work()
            return nil
        } catch {
            return (error as? EpitopeError)?.code.rawValue ?? "\(error)"
        }
    }
}
