// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FileAccess
import FoundationEssentials
import Glibc

/// A backup that lies on a disk: first the store, so that it is written once, in its place; then the other parts, the manifest, and a
/// trailer that says where the manifest is.
public final class BackupFile: Sendable {
    /// In bytes: some hundred times a manifest.
    private static let maxManifest: Int64 = 1 << 20
    static let chunk = 1 << 20

    public let path: String
    public let manifest: BackupManifest
    private let file: FileDescriptor

    /// Opens a backup and reads what it says of itself; ``verify(progress:)`` compares it with what is in it.
    ///
    /// - Throws: `backup-failed`, `backup-damaged`, `backup-newer`.
    public convenience init(path: String) throws(EpitopeError) {
        let file = try Self.reading(path) { () throws(FileError) in try FileDescriptor(path, O_RDONLY | O_NONBLOCK) }
        try self.init(path: path, file: file)
    }

    /// - Parameter file: is open for reading; the path is for people.
    init(path: String, file: FileDescriptor) throws(EpitopeError) {
        (self.path, self.file) = (path, file)
        let status = try Self.reading(path) { () throws(FileError) in try file.status() }
        guard status.kind == .regular else { throw .backupFailed("read", path, .notRegular) }
        let place = status.identity.size - Int64(BackupTrailer.byteCount)
        guard place >= 0, let trailer = BackupTrailer(try Self.bytes(of: file, path, at: place, count: BackupTrailer.byteCount)) else {
            throw .backupDamaged(path, "it does not end as a backup does")
        }
        guard trailer.fits(fileBytes: status.identity.size), trailer.manifest <= Self.maxManifest else {
            throw .backupDamaged(path, "its end does not fit its length")
        }
        let bytes = try Self.bytes(of: file, path, at: trailer.offset, count: Int(trailer.manifest))
        guard Array(SHA256.hash(data: bytes)) == trailer.sha256 else { throw .backupDamaged(path, "its manifest was changed") }
        // Of a later version not even the names of what it says are known.
        struct Version: Decodable { var version: Int }
        let version = try? JSONDecoder().decode(Version.self, from: Data(bytes)).version
        guard version ?? 0 <= BackupManifest.currentVersion else { throw .backupNewer() }
        guard let manifest = try? JSONDecoder().decode(BackupManifest.self, from: Data(bytes)) else {
            throw .backupDamaged(path, "its manifest can't be read")
        }
        try manifest.requireWhole(path: path, length: trailer.offset)
        self.manifest = manifest
    }

    /// Compares all that is in it with the manifest.
    ///
    /// - Parameter progress: called now and then with how many bytes are read, and of how many; what it throws ends it.
    /// - Throws: `backup-damaged`, `backup-failed`; what `progress` throws.
    public func verify(progress: (_ done: Int64, _ total: Int64) throws(EpitopeError) -> Void = { _, _ in }) throws(EpitopeError) {
        let total = manifest.parts.reduce(0) { $0 + $1.bytes }
        for part in manifest.parts {
            try each(of: part) { (_, done) throws(EpitopeError) in try progress(part.offset + done, total) }
        }
    }

    /// Calls the body with each piece of a part, and compares the whole with the manifest.
    ///
    /// - Parameter body: gets the piece, and how many bytes there were before it.
    func each(
        of part: BackupManifest.Part, _ body: (_ piece: [UInt8], _ done: Int64) throws(EpitopeError) -> Void
    ) throws(EpitopeError) {
        var (hash, done) = (SHA256(), Int64(0))
        while done < part.bytes {
            let piece = try Self.bytes(
                of: file, path, at: part.offset + done, count: Int(min(Int64(Self.chunk), part.bytes - done)))
            hash.update(data: piece)
            try body(piece, done)
            done += Int64(piece.count)
        }
        guard Hex.encode(hash.finalize()) == part.sha256 else { throw .backupDamaged(path, "\(part.name) was changed") }
    }

    private static func bytes(of file: FileDescriptor, _ path: String, at place: Int64, count: Int) throws(EpitopeError) -> [UInt8] {
        let bytes = try reading(path) { () throws(FileError) in try DescriptorIO.bytes(file.number, at: Int(place), count: count) }
        guard bytes.count == count else { throw .backupDamaged(path, "it was cut short") }
        return bytes
    }

    private static func reading<Value>(_ path: String, _ body: () throws(FileError) -> Value) throws(EpitopeError) -> Value {
        do throws(FileError) { return try body() } catch { throw .backupFailed("read", path, error) }
    }
}
