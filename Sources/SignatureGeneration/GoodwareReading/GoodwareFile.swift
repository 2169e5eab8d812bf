// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FileAccess
import Foundation
public import GoodwareIndex

/// A goodware index on disk, mapped into memory.
///
/// The file has a header of 64 bytes (magic, version, position and length of the description, SHA-256 of the header's
/// first 32 bytes and the description), the filters' slots, and the description (segments, byte pairs, sources, files, what was not read).
/// Numbers are little endian. Opening checks everything except the slots; ``check()`` also reads those.
public final class GoodwareFile: Sendable {
    package static let magic = Array("EPITGOOD".utf8)
    package static let version: UInt32 = 3
    package static let headerLength = 64

    public let path: String
    public let index: GoodwareIndex
    /// The folders and captures that it was built from.
    public let sources: [String]
    /// The folders among the sources.
    public let folders: [String]
    /// The captures among the sources.
    public let captures: [String]
    private let mapped: MemoryMap
    private let opened: FileDescriptor
    private let identity: FileIdentity
    package let description: GoodwareDescription

    /// Maps and checks an index.
    ///
    /// - Throws: `goodware-missing`, `goodware-damaged`, `goodware-version`.
    public init(path: String) throws(EpitopeError) {
        // Epitope never writes one in place: a new index takes its name, and the mapping keeps the old one. Others may:
        // requireUnchanged() is asked after each answer that matters.
        let mapped: MemoryMap
        do throws(FileError) {
            opened = try FileDescriptor(path, O_RDONLY | O_NONBLOCK)
            let status = try opened.status()
            guard status.kind == .regular else { throw .notRegular }
            identity = status.identity
            mapped = try MemoryMap(opened.number, count: Int(identity.size))
        } catch {
            throw EpitopeError(
                .goodwareMissing, "there is no goodware index that can be read at \(path): \(error)",
                remedy: "build one with epitope goodware build, or name another file")
        }
        let bytes = mapped.bytes
        guard bytes.count >= Self.headerLength, bytes.prefix(8).elementsEqual(Self.magic) else {
            throw .damaged(path, "it does not begin like a goodware index")
        }
        let version = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        guard version == Self.version else {
            throw EpitopeError(
                .goodwareVersion, "the goodware index \(path) has format version \(version); this program reads version \(Self.version)",
                remedy: "build it again with this program")
        }
        let start = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        let length = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        guard start >= UInt64(Self.headerLength), start <= UInt64(bytes.count), length == UInt64(bytes.count) - start else {
            throw .damaged(path, "it is truncated")
        }
        let described = UnsafeRawBufferPointer(rebasing: bytes[Int(start)...])
        guard bytes[32..<64].elementsEqual(Self.digest(header: bytes.prefix(32), description: described)) else {
            throw .damaged(path, "its checksum is wrong")
        }
        do {
            description = try GoodwareDescription(described)
            index = GoodwareIndex(
                segments: try description.segments.map { try $0.segment(in: mapped) }, pairs: description.pairs)
        } catch {
            throw .damaged(path, "its description does not fit its filters")
        }
        self.path = path
        self.mapped = mapped
        folders = description.folders
        captures = description.captures
        sources = description.folders + description.captures
    }

    /// The number of files and captures that it was built from.
    public var fileCount: Int { description.files.count }

    /// What it was to be built from and was not, or not as a whole: "absent" says nothing of it.
    public var unread: UnreadFiles { description.unread }

    /// What whoever relies on it is told of ``unread``; `nil` if all was read.
    public var warning: String? {
        guard unread.count > 0 else { return nil }
        let count = "\(unread.count) of \(UInt64(fileCount) + unread.count) files of the goodware were not read"
        let effect = unread.isTooMany(beside: fileCount) ? "so many that nothing is proven" : "of these \"absent\" says nothing"
        return "\(count), \(effect): see epitope goodware info \(path)"
    }

    /// The files and captures that it was built from, to find those that changed since.
    package var files: [CorpusFile] { description.files }

    /// In bytes, of the whole file.
    public var size: Int { mapped.bytes.count }

    /// Whether what was read so far was the index that was opened. A file that was written or cut short meanwhile may have
    /// answered "absent" of what is there, so nothing that was asked of it since it was opened counts.
    ///
    /// - Throws: `goodware-changed`.
    public func requireUnchanged() throws(EpitopeError) {
        // The name may have gone to a new index: content alone counts.
        guard mapped.cutAt == nil, FileIdentity(opened.number).map({ $0.hasContent(of: identity) }) == true else {
            throw EpitopeError(
                .goodwareChanged, "the goodware index \(path) was written while it was in use",
                remedy: "put a new index beside it and rename it: mv NEW \(path)")
        }
    }

    /// Reads all filters and compares their checksums.
    ///
    /// - Throws: `goodware-damaged`.
    public func check() throws(EpitopeError) {
        for segment in description.segments {
            let slots = mapped.bytes[segment.start..<(segment.start + segment.length)]
            guard Array(SHA256.hash(data: UnsafeRawBufferPointer(rebasing: slots))) == segment.digest else {
                throw .damaged(path, "a filter's checksum is wrong")
            }
        }
        try requireUnchanged()
    }

    package static func digest(header: Slice<UnsafeRawBufferPointer>, description: UnsafeRawBufferPointer) -> [UInt8] {
        var hash = SHA256()
        hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: header))
        hash.update(bufferPointer: description)
        return Array(hash.finalize())
    }
}
