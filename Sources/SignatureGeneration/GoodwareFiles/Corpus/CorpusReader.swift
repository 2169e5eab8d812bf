// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import FileAccess
import Glibc
import StreamReassembly

/// Reads goodware: files as a whole, compressed sections of programs, the contents of archives and compressed files, and
/// streams of captures.
struct CorpusReader {
    /// A file was not read, or not as a whole.
    struct Skipped: Error {
        var reason: String
    }

    let pieces: OverlappingChunker
    private var chunk = [UInt8](repeating: 0, count: 256 << 10)
    /// The bytes of all units so far.
    private(set) var bytesRead: UInt64 = 0

    init(_ pieces: OverlappingChunker) {
        self.pieces = pieces
    }

    /// - Throws: ``Skipped`` if a part of the file could not be read (the rest was), or errors of the chunker's body.
    mutating func read(_ file: CorpusFile) throws {
        let opened: FileDescriptor
        do throws(FileError) {
            opened = try FileDescriptor(file.path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        } catch {
            throw Skipped(reason: error.description)
        }
        var head: [UInt8] = []
        var position = 0
        pieces.begin(file.path)
        let (extents, size) = extents(of: opened)
        for extent in extents {
            try skipHole(from: position, to: extent.lowerBound)
            position = extent.lowerBound
            while position < extent.upperBound {
                let count: Int
                do {
                    let wanted = min(chunk.count, extent.upperBound - position)
                    count = try chunk.withUnsafeMutableBytes {
                        try DescriptorIO.read(opened.number, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<wanted]), at: position)
                    }
                } catch {
                    try pieces.end()
                    throw Skipped(reason: "\(error)")
                }
                if count == 0 { break }
                if position == 0 { head = Array(chunk[..<min(count, 512)]) }
                try chunk.withUnsafeBytes { try pieces.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
                position += count
                bytesRead += UInt64(count)
            }
        }
        try skipHole(from: position, to: size)
        try pieces.end()
        if ElfSections.isELF(head) { try readSections(of: opened.number, name: file.path, size: UInt64(position)) }
        if ArchiveReader.isArchive(head) {
            var archive = ArchiveReader(pieces: pieces)
            defer { bytesRead += archive.bytesRead }
            try archive.read(opened.number, name: file.path)
        }
    }

    /// In bytes: how much is read of a hole. No gap of a signature reaches across (``Signatures/Signature/maxGap``).
    static let maxHoleBytes = 128 << 10
    private static let zeros = [UInt8](repeating: 0, count: maxHoleBytes)

    /// The parts of a file that are read; what was written behind them since it was listed is read, too.
    private func extents(of file: FileDescriptor) -> (extents: [Range<Int>], size: Int) {
        let size = (try? file.status()).map { Int($0.identity.size) } ?? 0
        var extents = FileExtents.data(of: file.number, size: size, minHole: Self.maxHoleBytes)
        // Without a hole at its end, a file that grows meanwhile is read to its new end.
        if let last = extents.last, last.upperBound == size { extents[extents.count - 1] = last.lowerBound..<Int.max }
        return (extents.isEmpty && size == 0 ? [0..<Int.max] : extents, size)
    }

    private func skipHole(from start: Int, to end: Int) throws {
        guard end > start else { return }
        try Self.zeros.withUnsafeBytes { try pieces.skip(hole: UInt64(end - start), zeros: $0) }
    }

    /// In bytes: longer compressed sections are skipped.
    private static let maxSectionBytes: UInt64 = 1 << 30

    /// Reads the compressed sections of an ELF file, each as its own unit.
    private mutating func readSections(of descriptor: Int32, name: String, size: UInt64) throws {
        func bytes(at offset: UInt64, _ count: Int) -> [UInt8]? {
            guard let offset = Int(exactly: offset), let bytes = try? DescriptorIO.bytes(descriptor, at: offset, count: count) else {
                return nil
            }
            return bytes.count == count ? bytes : nil
        }
        var failure: Skipped?
        for section in ElfSections.compressed(size: size, read: bytes) {
            do {
                guard section.range.count <= Self.maxSectionBytes, let packed = bytes(at: section.range.lowerBound, section.range.count)
                else {
                    throw Skipped(reason: "its section \(section.number) can't be read as a whole")
                }
                var archive = ArchiveReader(pieces: pieces)
                defer { bytesRead += archive.bytesRead }
                try archive.read(section: packed, section.compression, name: "\(name): section \(section.number)")
            } catch let error as Skipped {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Reads the streams of a capture, each part of one side of a flow as its own unit: parts overlap by more than a window. What
    /// a recorder has just begun holds nothing yet.
    ///
    /// - Throws: ``Skipped`` if frames of it were not read (those before were), or errors of the chunker's body.
    mutating func read(capture path: String) throws {
        let summary: CaptureReader.Summary
        do {
            summary = try CaptureReader.streams(in: path) { stream in
                let part = stream.offset > 0 ? " from byte \(stream.offset) on" : ""
                pieces.begin("\(path): stream \(stream.number)\(part)")
                try stream.bytes.withUnsafeBytes { try pieces.append($0) }
                try pieces.end()
                bytesRead += UInt64(stream.bytes.count - stream.overlap)
                return true
            }
        } catch let error as EpitopeError where error.code == .captureEmpty {
            return
        }
        if summary.end == .failed { throw Skipped(reason: "from frame \(summary.frames + 1) on: \(summary.failure ?? "")") }
        if summary.frames > 0, summary.skippedFrames == summary.frames {
            throw Skipped(reason: "none of its frames holds TCP or UDP (\(summary.tally.skippedKinds))")
        }
    }
}
