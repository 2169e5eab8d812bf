// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import FileAccess
import Glibc
import GoodwareReading
import StreamReassembly

/// Reads goodware: files as a whole, what is packed in them (``Unpacker``), and streams of captures.
struct CorpusReader {
    /// A file was not read, or not as a whole.
    struct Skipped: Error {
        var reason: String
    }

    private let units: ChunkerStack
    private var chunk = [UInt8](repeating: 0, count: 256 << 10)

    init(_ units: ChunkerStack) {
        self.units = units
    }

    /// The bytes of streams that the part before has, too.
    private var repeatedBytes: UInt64 = 0

    /// The bytes of all units so far.
    var bytesRead: UInt64 { units.bytes - repeatedBytes }

    /// How often a file is read that is written meanwhile.
    static let maxAttempts = 3

    /// Reads a file and what is packed in it, again if it was written meanwhile.
    ///
    /// - Throws: ``Skipped`` if a part of the file could not be read (the rest was), or errors of the chunker's body.
    mutating func read(_ file: CorpusFile) throws {
        let opened: FileDescriptor
        do throws(FileError) {
            opened = try FileDescriptor(file.path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        } catch {
            throw Skipped(reason: error.description)
        }
        for _ in 0..<Self.maxAttempts {
            let before = FileIdentity(opened.number)
            let fault = try readOnce(opened, name: file.path.description)
            guard let before, let after = FileIdentity(opened.number), after.hasContent(of: before) else { continue }
            if let fault { throw Skipped(reason: fault) }
            return
        }
        throw Skipped(reason: "it was written each time it was read")
    }

    /// - Returns: why a part of it was not read.
    private mutating func readOnce(_ opened: FileDescriptor, name: String) throws -> String? {
        let unit = units.begin(name, depth: 0)
        let (extents, size) = extents(of: opened)
        var position = 0
        for extent in extents {
            try skipHole(unit, from: position, to: extent.lowerBound)
            position = extent.lowerBound
            while position < extent.upperBound {
                let count: Int
                do {
                    let wanted = min(chunk.count, extent.upperBound - position)
                    count = try chunk.withUnsafeMutableBytes {
                        try DescriptorIO.read(opened.number, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<wanted]), at: position)
                    }
                } catch {
                    try unit.end()
                    return "\(error)"
                }
                if count == 0 { break }
                try chunk.withUnsafeBytes { try unit.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
                position += count
            }
        }
        try skipHole(unit, from: position, to: size)
        try unit.end()
        // Holes are no reason to unpack more.
        let stored = extents.reduce(0) { $0 + min($1.upperBound, position) - min($1.lowerBound, position) }
        let unpacker = Unpacker(size: UInt64(stored), units: units)
        try unpacker.read(opened.number, 0..<max(position, size), name: name, endsAsZip: endsAsZip(opened, size: position))
        guard let first = unpacker.firstFault else { return nil }
        return unpacker.faults == 1 ? first : "\(first); and \(unpacker.faults - 1) more"
    }

    /// Whether a file ends with the end record of a zip archive (APPNOTE.TXT, 4.3.16): programs that unpack themselves, and archives
    /// behind a script, begin with something else. Of these, a comment may follow the record.
    private func endsAsZip(_ opened: FileDescriptor, size: Int) -> Bool {
        let (record, maxComment) = (22, 65_535)
        let head = (try? DescriptorIO.bytes(opened.number, at: 0, count: 4)) ?? []
        let isProgram = head.starts(with: Array("MZ".utf8)) || head.starts(with: Array("#!".utf8)) || ElfSections.isELF(head)
        let length = min(size, record + (isProgram ? maxComment : 0))
        guard length >= record, let end = try? DescriptorIO.bytes(opened.number, at: size - length, count: length), end.count == length
        else { return false }
        return end.withUnsafeBytes { end in
            (0...length - record).contains { place in
                end[place] == 0x50 && end[place + 1] == 0x4b && end[place + 2] == 5 && end[place + 3] == 6
                    && Int(end[place + 20]) | Int(end[place + 21]) << 8 == length - place - record
            }
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

    private func skipHole(_ unit: OverlappingChunker, from start: Int, to end: Int) throws {
        guard end > start else { return }
        try Self.zeros.withUnsafeBytes { try unit.skip(hole: UInt64(end - start), zeros: $0) }
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
                let unit = units.begin("\(path): stream \(stream.number)\(part)", depth: 0)
                try stream.bytes.withUnsafeBytes { try unit.append($0) }
                try unit.end()
                repeatedBytes += UInt64(stream.overlap)
                return true
            }
        } catch let error as EpitopeError where error.code == .captureEmpty {
            return
        }
        if summary.end == .failed { throw Skipped(reason: "from frame \(summary.frames + 1) on: \(summary.failure ?? "")") }
        if summary.tally.cutPackets > 0 {
            throw Skipped(reason: "of \(summary.tally.cutPackets) packets it has only the beginning (a snapshot length)")
        }
        if summary.frames > 0, summary.skippedFrames == summary.frames {
            throw Skipped(reason: "none of its frames holds TCP or UDP (\(summary.tally.skippedKinds))")
        }
    }
}
