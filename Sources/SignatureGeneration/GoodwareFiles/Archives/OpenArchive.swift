// SPDX-License-Identifier: Apache-2.0

import CArchive
import FileAccess
import Glibc
import GoodwareReading

/// One layer as libarchive reads it: one filter, or one form of archive, never several at once. Whatever goes into it comes from
/// a ``ByteSource``, which charges it to the file's budget: a filter whose input gives no output ends as well.
final class OpenArchive {
    fileprivate let archive: OpaquePointer
    private let input: Input

    /// What libarchive reads from.
    private final class Input {
        let source: ByteSource
        /// Why the last read failed.
        var failure: (any Error)?

        init(_ source: ByteSource) {
            self.source = source
        }

        static func of(_ client: UnsafeMutableRawPointer?) -> Input? {
            client.map { Unmanaged<Input>.fromOpaque($0).takeUnretainedValue() }
        }
    }

    /// Opens compressed bytes.
    convenience init(_ compression: Compression, _ source: ByteSource) throws {
        try self.init(source) { archive in
            let (code, support) = compression.filter
            _ = support(archive)
            // Without it libarchive looks by itself, and goes on with what is compressed again.
            if let code { _ = archive_read_append_filter(archive, code) }
            _ = archive_read_support_format_raw(archive)
        }
        guard archive_filter_count(archive) == 2 else {
            throw CorpusReader.Skipped(reason: "it is compressed twice in a way that is not read")
        }
    }

    /// Opens an archive.
    convenience init(_ form: ArchiveForm, _ source: ByteSource) throws {
        try self.init(source) { _ = form.support($0) }
    }

    private init(_ source: ByteSource, _ prepare: (OpaquePointer) -> Void) throws {
        guard let archive = archive_read_new() else { throw CorpusReader.Skipped(reason: "no memory for an archive") }
        self.archive = archive
        input = Input(source)
        prepare(archive)
        // The input lives as long as the archive, which is freed first.
        archive_read_set_callback_data(archive, Unmanaged.passUnretained(input).toOpaque())
        archive_read_set_read_callback(archive) { _, client, out in
            guard let input = Input.of(client), let out else { return -1 }
            do {
                let block = try input.source.next()
                out.pointee = block.baseAddress
                return block.count
            } catch {
                input.failure = error
                return -1
            }
        }
        if source.seekableSize != nil {
            archive_read_set_seek_callback(archive) { _, client, offset, whence in
                guard let input = Input.of(client), let size = input.source.seekableSize else { return Int64(ARCHIVE_FATAL) }
                let base = whence == SEEK_SET ? 0 : whence == SEEK_END ? size : input.source.place
                input.source.seek(to: Int(clamping: Int64(base) &+ offset))
                return Int64(input.source.place)
            }
            archive_read_set_skip_callback(archive) { _, client, count in
                guard let input = Input.of(client) else { return 0 }
                let before = input.source.place
                input.source.seek(to: Int(clamping: Int64(before).addingReportingOverflow(count).partialValue))
                return Int64(input.source.place - before)
            }
        }
        guard archive_read_open1(archive) == ARCHIVE_OK else { throw failure }
    }

    deinit { archive_read_free(archive) }

    /// Why the last call failed.
    var failure: any Error {
        input.failure ?? CorpusReader.Skipped(reason: archive_error_string(archive).map { String(cString: $0) } ?? "it can't be unpacked")
    }

    fileprivate var inputFailure: (any Error)? { input.failure }

    /// How many bytes of the source the members so far took.
    var consumed: Int { Int(archive_filter_bytes(archive, 0)) }

    /// A member of an archive.
    struct Member {
        /// In bytes of its name, cut to what is shown of it.
        var name: String
        /// Whether it may have contents: no folder and no link.
        var isFile: Bool
        /// Whether its holes are left out of the archive.
        var isSparse: Bool
    }

    enum Header {
        case member(Member)
        /// This member can't be read; others may be.
        case unreadable(any Error)
        case end
    }

    /// The next member's header.
    ///
    /// - Throws: where nothing more of the archive can be read.
    func nextHeader() throws -> Header {
        var entry: OpaquePointer?
        let state = archive_read_next_header(archive, &entry)
        // libarchive takes some failures of its input for the archive's end.
        if let failure = input.failure { throw failure }
        switch state {
        case ARCHIVE_EOF: return .end
        case ARCHIVE_OK, ARCHIVE_WARN: break
        case ARCHIVE_FAILED, ARCHIVE_RETRY: return .unreadable(failure)
        default: throw failure
        }
        let type = archive_entry_filetype(entry) & S_IFMT
        return .member(
            Member(
                name: Self.name(entry), isFile: type != S_IFDIR && type != S_IFLNK, isSparse: archive_entry_sparse_count(entry) > 0))
    }

    private static let maxNameBytes = 256

    private static func name(_ entry: OpaquePointer?) -> String {
        guard let name = archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry) else { return "?" }
        let bytes = UnsafeBufferPointer(start: name, count: strnlen(name, maxNameBytes))
        return RawPath.printable(bytes.map { UInt8(bitPattern: $0) })
    }

    /// The contents of the member whose header was read last, of which long holes are shortened.
    func contents(_ budget: UnpackingBudget) -> ByteSource { ArchiveContents(self, budget) }
}

/// The contents of an archive's current member, or what a filter gives.
private final class ArchiveContents: ByteSource {
    private let open: OpenArchive
    private let budget: UnpackingBudget
    /// The end of what was given, as the archive counts it.
    private var position: Int64 = 0
    /// A block behind a hole.
    private var pending: UnsafeRawBufferPointer?
    /// What a hole reads as, so much of it as is read; made when there is one.
    private var zeros: UnsafeMutableRawBufferPointer?

    init(_ open: OpenArchive, _ budget: UnpackingBudget) {
        self.open = open
        self.budget = budget
        super.init(budget)
    }

    deinit { zeros?.deallocate() }

    override func fetch() throws -> UnsafeRawBufferPointer {
        if let pending {
            self.pending = nil
            return pending
        }
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: Int64 = 0
            let state = archive_read_data_block(open.archive, &start, &count, &offset)
            if let failure = open.inputFailure { throw failure }
            if state == ARCHIVE_EOF { return UnsafeRawBufferPointer(start: nil, count: 0) }
            guard state == ARCHIVE_OK || state == ARCHIVE_WARN else { throw open.failure }
            // A reader that gives nothing, again and again, is not free.
            try budget.charge(16)
            let block = UnsafeRawBufferPointer(start: start, count: count)
            let hole = offset - position
            position = offset + Int64(count)
            guard hole > 0 else {
                if block.isEmpty { continue }
                return block
            }
            pending = block.isEmpty ? nil : block
            return zeros(hole)
        }
    }

    private func zeros(_ count: Int64) -> UnsafeRawBufferPointer {
        let zeros = zeros ?? .allocate(byteCount: CorpusReader.maxHoleBytes, alignment: 16)
        if self.zeros == nil { zeros.initializeMemory(as: UInt8.self, repeating: 0) }
        self.zeros = zeros
        return UnsafeRawBufferPointer(rebasing: zeros[..<Int(min(count, Int64(zeros.count)))])
    }
}

extension Compression {
    /// libarchive's number, and what makes it known. No number for the filter that reads its input before it has one, and ends the
    /// program (libarchive 3.6.2): it is left to be found, and only its own output may be compressed the same way.
    fileprivate var filter: (code: Int32?, support: (OpaquePointer?) -> Int32) {
        switch self {
        case .gzip: (ARCHIVE_FILTER_GZIP, archive_read_support_filter_gzip)
        case .bzip2: (ARCHIVE_FILTER_BZIP2, archive_read_support_filter_bzip2)
        case .compress: (nil, archive_read_support_filter_compress)
        case .xz: (ARCHIVE_FILTER_XZ, archive_read_support_filter_xz)
        case .lzma: (ARCHIVE_FILTER_LZMA, archive_read_support_filter_lzma)
        case .lzip: (ARCHIVE_FILTER_LZIP, archive_read_support_filter_lzip)
        case .lz4: (ARCHIVE_FILTER_LZ4, archive_read_support_filter_lz4)
        case .zstd: (ARCHIVE_FILTER_ZSTD, archive_read_support_filter_zstd)
        case .rpm: (ARCHIVE_FILTER_RPM, archive_read_support_filter_rpm)
        }
    }
}

extension ArchiveForm {
    fileprivate var support: (OpaquePointer?) -> Int32 {
        switch self {
        case .tar: archive_read_support_format_tar
        case .ar: archive_read_support_format_ar
        case .cpio: archive_read_support_format_cpio
        case .zip: archive_read_support_format_zip
        case .sevenZip: archive_read_support_format_7zip
        case .iso9660: archive_read_support_format_iso9660
        case .cab: archive_read_support_format_cab
        case .xar: archive_read_support_format_xar
        case .lha: archive_read_support_format_lha
        case .rar: archive_read_support_format_rar
        case .rar5: archive_read_support_format_rar5
        case .warc: archive_read_support_format_warc
        }
    }
}
