// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// Why a capture is read no further.
enum CaptureEnd: Error {
    /// The file ends where a frame or block ends.
    case whole
    /// The file ends in the middle of something, as it does while it is being written.
    case cut(String)
    /// A part of it can't be read.
    case failed(String)
}

/// A capture's bytes from the first to the last, decompressed where gzip has compressed it.
final class CaptureInput {
    /// In bytes: how much is read at a time.
    private static let chunk = 1 << 20
    /// In bytes: of a compressed file, of which what is left is copied with each step.
    private static let compressedChunk = 64 << 10
    /// In bytes: the longest frame or block. Frames of loopback and of segmentation offload reach 512 KiB.
    static let maxLength = 16 << 20

    private let file: FileDescriptor
    private let reads: BoundedReads?
    private var buffer: [UInt8] = []
    /// The next byte in ``buffer``, and the position in the file of what follows the buffer.
    private var place = 0
    private var position = 0
    /// `nil`: it is not compressed, or nothing was read yet.
    private var gzip: GzipStream?

    /// - Parameter reads: does what may hang; `nil`: it is waited for.
    /// - Throws: `FileError`.
    init(path: String, reads: BoundedReads?) throws(FileError) {
        self.reads = reads
        file = try Self.step(reads) { () throws(FileError) in
            // A pipe that took the file's name meanwhile must not stop the reader.
            let file = try FileDescriptor(path, O_RDONLY | O_NONBLOCK)
            guard try file.status().kind == .regular else { throw .notRegular }
            return file
        }
    }

    private static func step<Value: Sendable>(
        _ reads: BoundedReads?, _ step: @escaping @Sendable () throws(FileError) -> Value
    ) throws(FileError) -> Value {
        guard let reads else { return try step() }
        return try reads.run(step)
    }

    /// The next bytes.
    ///
    /// - Parameters:
    ///   - count: at most ``maxLength``.
    ///   - isBeginning: whether something begins here, so that the file may end.
    ///   - what: names it in the reason.
    func take(_ count: Int, isBeginning: Bool = false, _ what: @autoclosure () -> String) throws(CaptureEnd) -> ArraySlice<UInt8> {
        guard count <= Self.maxLength else { throw .failed("\(what()) states a length of \(count) bytes: it is damaged") }
        if buffer.count - place < count { try refill(count) }
        let there = buffer.count - place
        guard there >= count else {
            if isBeginning, there == 0 { throw .whole }
            throw .cut("the file ends within \(what()): it is being written, or was cut short")
        }
        defer { place += count }
        return buffer[place..<place + count]
    }

    private func refill(_ count: Int) throws(CaptureEnd) {
        var rest = Array(buffer[place...])
        while rest.count < count {
            if let gzip, !gzip.needsInput {
                rest += try gzip.next()
                continue
            }
            let isBeginning = position == 0
            let more = try read(gzip == nil ? max(Self.chunk, count - rest.count) : Self.compressedChunk)
            if more.isEmpty {
                guard let gzip, !gzip.isWhole else { break }
                throw .cut("the file ends within what gzip has compressed: it is being written, or was cut short")
            }
            if isBeginning, more.starts(with: GzipStream.magic) { gzip = GzipStream() }
            if let gzip { gzip.add(more) } else { rest += more }
        }
        (buffer, place) = (rest, 0)
    }

    private func read(_ count: Int) throws(CaptureEnd) -> [UInt8] {
        do throws(FileError) {
            let more = try Self.step(reads) { [file, position] () throws(FileError) in
                try DescriptorIO.bytes(file.number, at: position, count: count)
            }
            position += more.count
            return more
        } catch {
            throw .failed("the file can't be read: \(error)")
        }
    }
}

/// Numbers in the order of bytes of the machine that wrote the capture.
struct CaptureNumbers {
    var isBigEndian: Bool

    func short(_ bytes: ArraySlice<UInt8>, at offset: Int) -> Int { Int(number(bytes, at: offset, 2)) }
    func long(_ bytes: ArraySlice<UInt8>, at offset: Int) -> Int { Int(number(bytes, at: offset, 4)) }

    func number(_ bytes: ArraySlice<UInt8>, at offset: Int, _ count: Int) -> UInt64 {
        let start = bytes.startIndex + offset
        let part = bytes[start..<start + count]
        return isBigEndian ? part.reduce(0) { $0 << 8 | UInt64($1) } : part.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
