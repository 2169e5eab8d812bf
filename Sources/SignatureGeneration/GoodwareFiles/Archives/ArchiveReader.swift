// SPDX-License-Identifier: Apache-2.0

import CArchive

/// Reads the contents of archives and compressed files, also of archives in archives (a Debian package is an ar archive
/// with a compressed tar archive in it). Nothing is written to disk; memory is bounded by libarchive's buffers.
struct ArchiveReader {
    /// In bytes: how much is unpacked of one file, since a small file can be crafted to unpack without end.
    static let maxUnpackedBytes: UInt64 = 16 << 30
    static let maxDepth = 3

    let pieces: OverlappingChunker
    private(set) var bytesRead: UInt64 = 0

    init(pieces: OverlappingChunker) {
        self.pieces = pieces
    }

    /// Decides by the first bytes. A plain tar archive, and an ar archive that is not a Debian package (a static library),
    /// store their members uncompressed: these have been read with the file.
    static func isArchive(_ head: [UInt8]) -> Bool {
        let starts: [[UInt8]] = [
            [0x1f, 0x8b], [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], [0x28, 0xb5, 0x2f, 0xfd], [0x42, 0x5a, 0x68],
            [0x50, 0x4b, 3, 4], Array("!<arch>\ndebian-binary".utf8),
        ]
        return starts.contains { head.starts(with: $0) }
    }

    /// - Throws: `CorpusReader.Skipped` if something can't be unpacked.
    mutating func read(_ descriptor: Int32, name: String) throws {
        let archive = try Self.opened()
        defer { archive_read_free(archive) }
        guard archive_read_open_fd(archive, descriptor, 64 << 10) == ARCHIVE_OK else { throw Self.failure(archive) }
        try readMembers(of: archive, name: name, depth: 1)
    }

    /// Reads a compressed section of a program.
    ///
    /// - Throws: `CorpusReader.Skipped` if something can't be unpacked.
    mutating func read(section packed: [UInt8], _ compression: ElfSections.Compression, name: String) throws {
        let file: [UInt8]
        switch compression {
        case .zstd: file = packed
        case .zlib:
            // libarchive reads deflate in gzip's frame (RFC 1952), not in zlib's (RFC 1950), which has the same bytes between a
            // header of two bytes and a checksum of four. It ignores gzip's checksum and length.
            guard packed.count > 6 else { throw CorpusReader.Skipped(reason: "its compressed section is truncated") }
            file = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3] + packed[2..<packed.count - 4] + [UInt8](repeating: 0, count: 8)
        case .other(let number): throw CorpusReader.Skipped(reason: "its sections have the unknown compression \(number)")
        }
        let archive = try Self.opened()
        defer { archive_read_free(archive) }
        try file.withUnsafeBytes { bytes in
            guard archive_read_open_memory(archive, bytes.baseAddress, bytes.count) == ARCHIVE_OK else { throw Self.failure(archive) }
            try readMembers(of: archive, name: name, depth: Self.maxDepth)
        }
    }

    private mutating func readMembers(of archive: OpaquePointer, name: String, depth: Int) throws {
        var failure: (any Error)?
        while true {
            var entry: OpaquePointer?
            let state = archive_read_next_header(archive, &entry)
            if state == ARCHIVE_EOF { break }
            guard state == ARCHIVE_OK || state == ARCHIVE_WARN else { throw Self.failure(archive) }
            let member = archive_entry_pathname(entry).map { String(cString: $0) } ?? "?"
            do {
                try readMember(of: archive, name: "\(name): \(member)", depth: depth)
            } catch let error as CorpusReader.Skipped {
                // Other members may still be readable.
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    private mutating func readMember(of archive: OpaquePointer, name: String, depth: Int) throws {
        let source = MemberSource(archive)
        var head = try source.next()
        if depth < Self.maxDepth, Self.isArchive(Array(head.prefix(512))) {
            let inner = try Self.opened()
            defer { archive_read_free(inner) }
            source.pending = head
            // The source outlives the inner archive: it is used below.
            let state = archive_read_open(
                inner, Unmanaged.passUnretained(source).toOpaque(), nil,
                { _, client, out in
                    guard let client, let out else { return -1 }
                    return Unmanaged<MemberSource>.fromOpaque(client).takeUnretainedValue().give(out)
                }, nil)
            defer { withExtendedLifetime(source) {} }
            guard state == ARCHIVE_OK else { throw Self.failure(inner) }
            try readMembers(of: inner, name: name, depth: depth + 1)
            return
        }
        pieces.begin(name)
        while !head.isEmpty {
            bytesRead += UInt64(head.count)
            guard bytesRead <= Self.maxUnpackedBytes else {
                throw CorpusReader.Skipped(reason: "it unpacks to more than \(Self.maxUnpackedBytes >> 30) GiB")
            }
            try head.withUnsafeBytes { try pieces.append($0) }
            head = try source.next()
        }
        try pieces.end()
    }

    private static func opened() throws -> OpaquePointer {
        guard let archive = archive_read_new() else { throw CorpusReader.Skipped(reason: "no memory for an archive") }
        for support in [
            archive_read_support_filter_gzip, archive_read_support_filter_xz, archive_read_support_filter_zstd,
            archive_read_support_filter_bzip2, archive_read_support_format_ar, archive_read_support_format_tar,
            archive_read_support_format_zip, archive_read_support_format_cpio, archive_read_support_format_raw,
        ] { _ = support(archive) }
        return archive
    }

    static func failure(_ archive: OpaquePointer) -> CorpusReader.Skipped {
        CorpusReader.Skipped(reason: archive_error_string(archive).map { String(cString: $0) } ?? "an unreadable archive")
    }
}

/// The bytes of the current member of an archive.
private final class MemberSource {
    /// Bytes to return before reading more.
    var pending: [UInt8] = []
    private let archive: OpaquePointer
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)

    init(_ archive: OpaquePointer) {
        self.archive = archive
    }

    deinit { buffer.deallocate() }

    /// The next bytes; empty at the end.
    func next() throws -> [UInt8] {
        let count = archive_read_data(archive, buffer.baseAddress, buffer.count)
        guard count >= 0 else { throw ArchiveReader.failure(archive) }
        return Array(buffer[..<count])
    }

    /// Provides the bytes that an inner archive reads. Returns their number, negative for a failure.
    func give(_ out: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
        out.pointee = UnsafeRawPointer(buffer.baseAddress)
        guard pending.isEmpty else {
            let count = pending.count
            buffer.copyBytes(from: pending)
            pending = []
            return count
        }
        return archive_read_data(archive, buffer.baseAddress, buffer.count)
    }
}
