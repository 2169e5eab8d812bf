// SPDX-License-Identifier: Apache-2.0

public import CenterStore
public import EpitopeModel
import FileAccess
import Glibc
import SecureChannel

/// Makes a center of a backup, in a folder where there is none.
public struct BackupRestorer: Sendable {
    /// What came of it.
    public struct Outcome: Hashable, Sendable {
        /// Where the authority's key is now.
        public enum Key: Hashable, Sendable {
            /// It was in the backup.
            case restored
            /// It was in its folder.
            case present
            /// It was in its folder, with an authority that was made, or took the other's place, after the backup: that counts.
            case later
            /// In its folder is that of the backup's authority, and not that of the one that is to follow.
            case withoutNext
            case missing
        }

        public var recovery: Recovery
        public var key: Key
    }

    /// Who restores it.
    private struct Restorer {
        var name: String
        var actor: AuditActor
    }

    private let backup: BackupFile
    private let folders: CenterFolders

    public init(_ backup: BackupFile, to folders: CenterFolders) {
        self.backup = backup
        self.folders = folders
    }

    /// Restores the center. The authority's certificate, without which nothing serves from the folder, comes last; after a failure the
    /// folders are as before.
    ///
    /// - Parameters:
    ///   - revocations: who was revoked, as far as it is known besides the backup.
    ///   - person: who restores it, for a person.
    ///   - actor: the same, for the audit log.
    /// - Throws: `backup-of-another-kind`, `backup-newer`, `backup-damaged`, `state-not-empty`, `disk-full`, `backup-failed`; what the
    ///   store throws; what `progress` throws.
    public func restore(
        as kind: String, revocations: [Revocation], by person: String, actor: AuditActor = .center,
        progress: @escaping BackupWriter.Progress
    ) async throws(EpitopeError) -> Outcome {
        try backup.manifest.requireRestorable(as: kind)
        let (key, present) = try requireNew()
        try requireRoom()
        try backup.verify { (done, total) throws(EpitopeError) in try progress("checked", done, total) }
        var made: [String] = []
        do throws(EpitopeError) {
            return try await restore(key, present, revocations, Restorer(name: person, actor: actor), progress, &made)
        } catch {
            for path in made.reversed() where unlink(path) != 0 { rmdir(path) }
            throw error
        }
    }

    private func restore(
        _ key: Outcome.Key, _ present: CenterAuthorities?, _ revocations: [Revocation], _ person: Restorer,
        _ progress: @escaping BackupWriter.Progress, _ made: inout [String]
    ) async throws(EpitopeError) -> Outcome {
        try makeFolder(folders.state, &made)
        try makeFolder(folders.authority, &made)
        if key == .restored {
            try makeFolder(folders.key, &made)
            try write(.key, &made)
            try write(.authority, to: "\(folders.key)/\(AuthorityCertificate.file)", &made)
        }
        try write(.server, &made)
        if backup.manifest.part(.link) != nil {
            try makeFolder(Folders.parent(of: folders.path(of: .link)), &made)
            try write(.link, &made)
        }
        var recovery = Recovery()
        if backup.manifest.hasStore {
            try write(.store, &made, progress)
            let store = folders.path(of: .store)
            made += ["-wal", "-shm", "-revocations"].map { store + $0 }
            recovery = try await recover(store, revocations, person)
        } else {
            try write(.location, &made)
        }
        try write(.authority, &made)
        if key == .later, let present { try present.save(in: folders.authority) }
        for folder in Set([folders.state, Folders.parent(of: folders.state)]) { try? Folders.synchronize(folder) }
        return Outcome(recovery: recovery, key: key)
    }

    /// The store of an earlier version becomes one of this here.
    private func recover(_ path: String, _ revocations: [Revocation], _ person: Restorer) async throws(EpitopeError) -> Recovery {
        if let damage = CenterStore.damage(in: path) { throw .backupDamaged(backup.path, "its store: \(damage)") }
        return try await CenterStore(path: path).acting(as: person.actor).recover(
            revocations: revocations, ofBackupMade: backup.manifest.madeMilliseconds, by: person.name)
    }

    /// - Returns: where the key will be; and, where it is there already, its authorities.
    private func requireNew() throws(EpitopeError) -> (Outcome.Key, CenterAuthorities?) {
        guard Self.isFree(folders.state) else { throw .stateNotEmpty(folders.state, "is there, and not empty") }
        guard !Self.isFree(folders.key) else { return (backup.manifest.hasKey ? .restored : .missing, nil) }
        // As on the machine that the backup is of, whose state folder was moved away. An authority that was retired since stays so.
        let backedUp = try CenterAuthorities(parsing: try text(of: .authority), from: backup.path)
        guard let present = try? CenterAuthorities.load(from: folders.key) else { throw foreignKey }
        if present.current == backedUp.current {
            if present.next == backedUp.next { return (.present, present) }
            return (present.next == nil ? .withoutNext : .later, present)
        }
        guard present.former?.authority == backedUp.current else { throw foreignKey }
        return (.later, present)
    }

    private var foreignKey: EpitopeError {
        .stateNotEmpty(folders.key, "holds something else than the key of the backup's authority")
    }

    private func text(of part: BackupPart) throws(EpitopeError) -> String {
        guard let found = backup.manifest.part(part) else { throw .backupDamaged(backup.path, "\(part.rawValue) is missing") }
        var bytes: [UInt8] = []
        try backup.each(of: found) { (piece, _) throws(EpitopeError) in bytes += piece }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a folder is not there, or empty.
    private static func isFree(_ folder: String) -> Bool {
        do throws(FileError) { return try Folders.names(folder, maxCount: 1).isEmpty } catch { return error.number == ENOENT }
    }

    private func requireRoom() throws(EpitopeError) {
        var above = folders.state
        while access(above, F_OK) != 0, above != "/", above != "." { above = Folders.parent(of: above) }
        let needed = backup.manifest.parts.reduce(1 << 20) { $0 + $1.bytes }
        guard let room = FileSystemRoom(at: above)?.availableBytes, room < needed else { return }
        throw .backupFull(folders.state, needed: needed)
    }

    private func makeFolder(_ path: String, _ made: inout [String]) throws(EpitopeError) {
        guard access(path, F_OK) != 0 else { return }
        try Self.writing(path) { () throws(FileError) in
            // Another user's service may have to pass through the folders above.
            try Folders.make(Folders.parent(of: path), mode: 0o755)
            try Folders.make(path, mode: 0o700)
        }
        made.append(path)
    }

    private func write(
        _ part: BackupPart, to path: String? = nil, _ made: inout [String], _ progress: BackupWriter.Progress = { _, _, _ in }
    ) throws(EpitopeError) {
        let path = path ?? folders.path(of: part)
        guard let found = backup.manifest.part(part) else { throw .backupDamaged(backup.path, "\(part.rawValue) is missing") }
        let file = try Self.writing(path) { () throws(FileError) in try AtomicFile(replacing: path, mode: 0o600) }
        try backup.each(of: found) { (piece, done) throws(EpitopeError) in
            try Self.writing(path) { () throws(FileError) in try DescriptorIO.write(piece, to: file.descriptor.number, at: Int(done)) }
            try progress("restored", done + Int64(piece.count), found.bytes)
        }
        try Self.writing(path) { () throws(FileError) in try file.commit() }
        made.append(path)
    }

    private static func writing<Value>(_ path: String, _ body: () throws(FileError) -> Value) throws(EpitopeError) -> Value {
        do throws(FileError) { return try body() } catch { throw .backupFailed("write", path, error) }
    }
}
