// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import GRDB
import Glibc
import SQLiteStore
import Synchronization

/// The file of a ``HostStore``: opened, and where that is wanted put aside when it is damaged.
final class StoreFile: Sendable {
    private struct State {
        var database: SQLiteStore?
        /// Which file was opened: another program may have put it aside since.
        var identity: FileIdentity?
        /// How often this program has put one aside, or found that another program had.
        var replacements = 0
    }

    private let path: String
    private let maxBytes: Int64?
    /// `nil`: a damaged file stays where it is.
    private let onReplacement: (@Sendable (String) -> Void)?
    private let state = Mutex(State())

    init(path: String, maxBytes: Int64?, onReplacement: (@Sendable (String) -> Void)?) {
        self.path = path
        self.maxBytes = maxBytes
        self.onReplacement = onReplacement
    }

    /// The open store.
    func opened() throws(EpitopeError) -> SQLiteStore {
        try state.withLock { (state) throws(EpitopeError) in try open(&state) }
    }

    /// Does something with the store; if it turns out to be damaged, once more with a new one.
    func mending<Value: Sendable>(
        _ body: @Sendable (SQLiteStore) async throws(EpitopeError) -> Value
    ) async throws(EpitopeError) -> Value {
        let replacements = state.withLock { $0.replacements }
        do {
            return try await body(opened())
        } catch {
            guard error.code == .hostStoreDamaged, onReplacement != nil else { throw error }
        }
        try replace(after: replacements)
        return try await body(opened())
    }

    private func open(_ state: inout State) throws(EpitopeError) -> SQLiteStore {
        if let database = state.database { return database }
        var sqlite = SQLiteStore.Settings(label: "host-store")
        sqlite.maxReaders = 2
        sqlite.maxBytes = maxBytes
        sqlite.isPrivate = true
        let database = try SQLiteStore(path: path, sqlite, migrator: HostStoreSchema.migrator, describe: EpitopeError.hostStore)
        state.database = database
        state.identity = FileIdentity(path: path)
        return database
    }

    /// The names of SQLite's files for one store.
    private static let suffixes = ["", "-wal", "-shm"]

    /// Puts the damaged file aside, over one that was put aside before, unless another program or another task has done so.
    ///
    /// - Parameter replacements: how many there had been when the file was found to be damaged: after another one it is a new file.
    private func replace(after replacements: Int) throws(EpitopeError) {
        let moved = try state.withLock { (state) throws(EpitopeError) -> Bool in
            guard state.replacements == replacements else { return false }
            state.replacements += 1
            let opened = state.identity
            try? state.database?.pool.close()
            state.database = nil
            state.identity = nil
            let lock = Glibc.open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            if lock >= 0 { flock(lock, LOCK_EX) }
            defer { if lock >= 0 { close(lock) } }
            let found = FileIdentity(path: path)
            if let opened, let found, (opened.device, opened.inode) != (found.device, found.inode) { return false }
            // One that could not be opened may have been replaced, while this program waited for the lock.
            if opened == nil, (try? open(&state)) != nil { return false }
            for suffix in Self.suffixes { rename(path + suffix, path + ".damaged" + suffix) }
            return true
        }
        if moved { onReplacement?(path + ".damaged") }
    }
}
