// SPDX-License-Identifier: Apache-2.0

public import CenterStore
import Crypto
public import EpitopeModel
import FileAccess
import FoundationEssentials
import Glibc
public import SecureChannel

/// Makes a backup of a center, which may go on serving meanwhile.
public struct BackupWriter: Sendable {
    /// How far it is: what is done now, and how much of it.
    public typealias Progress = @Sendable (_ what: String, _ done: Int64, _ total: Int64) throws(EpitopeError) -> Void

    private static let pageBytes: Int64 = 4096
    /// Some 16 MB.
    private static let pagesInFlush = 4096
    /// Of all that is not the store, in bytes.
    private static let maxPart = 256 << 10
    private static let roomBeside: Int64 = 1 << 20

    private let kind: String
    private let folders: CenterFolders
    private let isWithKey: Bool
    private let authorities: CenterAuthorities
    private let nowMilliseconds: Int64

    /// - Parameters:
    ///   - kind: `local-center` or `global-center`.
    ///   - isWithKey: whether the authority's key goes in, too.
    public init(
        kind: String, folders: CenterFolders, authorities: CenterAuthorities, isWithKey: Bool,
        nowMilliseconds: Int64 = ChannelClock.system()
    ) {
        self.kind = kind
        self.folders = folders
        self.isWithKey = isWithKey
        self.authorities = authorities
        self.nowMilliseconds = nowMilliseconds
    }

    /// Writes the backup, reads it again and compares. It has its name only once it is whole and on the disk, and mode 0600.
    ///
    /// - Parameters:
    ///   - path: of a file that is not there.
    ///   - progress: what it throws ends the work.
    /// - Returns: what is in the backup.
    /// - Throws: `backup-exists`, `backup-failed`, `backup-damaged`, `disk-full`; `store-failed`, `store-unusable` of the center's store;
    ///   what `progress` throws. Nothing is left then.
    public func write(_ store: CenterStore, to path: String, progress: @escaping Progress) async throws(EpitopeError) -> BackupManifest {
        guard access(path, F_OK) != 0 else { throw .backupExists(path) }
        try requireRoom(for: path)
        // Read before the store is copied: a certificate that is renewed meanwhile is no loss.
        let small = try smallParts(of: store)
        let file = try Self.writing(path) { () throws(FileError) in try AtomicFile(replacing: path, mode: 0o600) }
        let facts: StoreFacts
        var parts: [BackupManifest.Part] = []
        if store.isFile {
            facts = try await copy(store, to: file, for: path, progress)
            if let damage = CenterStore.damage(in: file.temporary) { throw .backupDamaged("the copy of the store", damage) }
            parts.append(try part(.store, of: file, path, progress))
        } else {
            facts = try await store.facts()
        }
        for (name, bytes) in small {
            let offset = parts.reduce(0) { $0 + $1.bytes }
            try Self.append(bytes, to: file, at: offset, path)
            parts.append(
                .init(name: name.rawValue, offset: offset, bytes: Int64(bytes.count), sha256: Hex.encode(SHA256.hash(data: bytes))))
        }
        let manifest = BackupManifest(
            version: store.isFile ? 1 : BackupManifest.currentVersion, kind: kind,
            authority: Hex.encode(authorities.current.fingerprint),
            madeMilliseconds: nowMilliseconds, store: facts, parts: parts)
        try finish(file, manifest, path)
        // What the disk has, not what memory has of it.
        _ = posix_fadvise(file.descriptor.number, 0, 0, POSIX_FADV_DONTNEED)
        try BackupFile(path: path, file: file.descriptor).verify { (done, total) throws(EpitopeError) in
            try progress("checked", done, total)
        }
        do throws(FileError) {
            try file.commitNew()
        } catch {
            throw error.number == EEXIST ? .backupExists(path) : .backupFailed("write", path, error)
        }
        return manifest
    }

    /// Says at once that there is no room, not after an hour.
    private func requireRoom(for path: String) throws(EpitopeError) {
        let length = (try? FileStatus(path: folders.path(of: .store)))?.identity.size ?? 0
        guard let room = FileSystemRoom(at: Folders.parent(of: path))?.availableBytes, room < length + Self.roomBeside else { return }
        throw .backupFull(path, needed: length + Self.roomBeside)
    }

    private func smallParts(of store: CenterStore) throws(EpitopeError) -> [(BackupPart, [UInt8])] {
        var parts: [(BackupPart, [UInt8])] = [(.authority, Array(authorities.pem.utf8))]
        if !store.isFile { parts.append((.location, try content(of: .location))) }
        parts.append((.server, try content(of: .server)))
        if access(folders.path(of: .link), F_OK) == 0 { parts.append((.link, try content(of: .link))) }
        if isWithKey {
            // One that doesn't belong to the certificate would be found when it is needed.
            let keys = try AuthorityKeys.load(from: folders.key)
            guard authorities.accepted.allSatisfy(keys.hasKey) else {
                throw EpitopeError(
                    .keyMalformed, "the key in \(folders.key) is another authority's, or that of the next authority is missing",
                    remedy: "put the key of this center's authority there, or make the backup without it")
            }
            parts.append((.key, try content(of: .key)))
        }
        return parts
    }

    private func content(of part: BackupPart) throws(EpitopeError) -> [UInt8] {
        let path = folders.path(of: part)
        do throws(FileError) {
            return try FileDescriptor(path, O_RDONLY | O_NONBLOCK).readWhole(maxBytes: Self.maxPart)
        } catch {
            throw .backupFailed("read", path, error)
        }
    }

    private func copy(
        _ store: CenterStore, to file: AtomicFile, for path: String, _ progress: @escaping Progress
    ) async throws(EpitopeError) -> StoreFacts {
        let descriptor = file.descriptor
        do throws(EpitopeError) {
            return try await store.copy(to: file.temporary) { done, total in
                // To the disk bit by bit: all at once at the end would hold up those that write to the same one, such as the center.
                if done.isMultiple(of: Self.pagesInFlush) { _ = fdatasync(descriptor.number) }
                try progress("copied", Int64(done) * Self.pageBytes, Int64(total) * Self.pageBytes)
            }
        } catch  where error.code == .diskFull {
            throw .backupFull(path)
        }
    }

    /// The store's part, which is all that the file holds so far.
    private func part(
        _ part: BackupPart, of file: AtomicFile, _ path: String, _ progress: Progress
    ) throws(EpitopeError) -> BackupManifest.Part {
        var (hash, done) = (SHA256(), Int64(0))
        let total = try Self.writing(path) { () throws(FileError) in try file.descriptor.status().identity.size }
        while true {
            let piece = try Self.writing(path) { () throws(FileError) in
                try DescriptorIO.bytes(file.descriptor.number, at: Int(done), count: BackupFile.chunk)
            }
            guard !piece.isEmpty else { break }
            hash.update(data: piece)
            done += Int64(piece.count)
            try progress("read", done, total)
        }
        return .init(name: part.rawValue, offset: 0, bytes: done, sha256: Hex.encode(hash.finalize()))
    }

    private func finish(_ file: AtomicFile, _ manifest: BackupManifest, _ path: String) throws(EpitopeError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let json = try? encoder.encode(manifest) else {
            throw EpitopeError(.internalFailure, "could not write what is in the backup", remedy: "report this: it should not happen")
        }
        let offset = manifest.parts.reduce(0) { $0 + $1.bytes }
        try Self.append(Array(json) + BackupTrailer(offset: offset, manifest: Array(json)).bytes, to: file, at: offset, path)
        guard fsync(file.descriptor.number) == 0 else { throw .backupFailed("write", path, .system(errno)) }
    }

    private static func append(_ bytes: [UInt8], to file: AtomicFile, at offset: Int64, _ path: String) throws(EpitopeError) {
        try writing(path) { () throws(FileError) in try DescriptorIO.write(bytes, to: file.descriptor.number, at: Int(offset)) }
    }

    private static func writing<Value>(_ path: String, _ body: () throws(FileError) -> Value) throws(EpitopeError) -> Value {
        do throws(FileError) { return try body() } catch { throw .backupFailed("write", path, error) }
    }
}
