// SPDX-License-Identifier: Apache-2.0

import GoodwareReading

/// Collects the bytes of one unit (a file, an archive's member, a stream) into overlapping chunks, so that no match is
/// cut at a border if it is no longer than the overlap.
final class OverlappingChunker {
    typealias Body = (_ unit: String, _ offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws -> Void

    private let buffer: UnsafeMutableRawBufferPointer
    private let overlap: Int
    private let body: Body
    /// The bytes of all units so far.
    private(set) var bytes: UInt64 = 0
    private var filled = 0
    private var kept = 0
    private var offset: UInt64 = 0
    private var unit = ""

    /// - Parameters:
    ///   - size: of a chunk, in bytes; more than the overlap.
    ///   - body: called with each chunk, its unit's name, and its offset in the unit.
    init(size: Int, overlap: Int, _ body: @escaping Body) {
        buffer = .allocate(byteCount: size, alignment: 16)
        self.overlap = overlap
        self.body = body
    }

    deinit { buffer.deallocate() }

    func begin(_ unit: String) {
        self.unit = unit
        filled = 0
        kept = 0
        offset = 0
    }

    func append(_ bytes: UnsafeRawBufferPointer) throws {
        self.bytes += UInt64(bytes.count)
        var rest = bytes[...]
        while !rest.isEmpty {
            let taken = rest.prefix(buffer.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(from: UnsafeRawBufferPointer(rebasing: taken))
            filled += taken.count
            rest = rest.dropFirst(taken.count)
            if filled == buffer.count { try flush() }
        }
    }

    /// Passes over a hole of the unit: of a longer one, only so many zeros are appended.
    ///
    /// The next chunk's offset counts the whole hole. A match across it, which no bounded gap of a signature allows, would be
    /// reported at a place behind its own.
    func skip(hole count: UInt64, zeros: UnsafeRawBufferPointer) throws {
        try append(UnsafeRawBufferPointer(rebasing: zeros[..<Int(min(UInt64(zeros.count), count))]))
        guard count > UInt64(zeros.count) else { return }
        if filled > kept { try flush() }
        offset += count - UInt64(zeros.count)
    }

    /// Ends the unit: passes on its last chunk.
    func end() throws {
        if filled > kept { try flush() }
        filled = 0
    }

    private func flush() throws {
        try body(unit, offset, UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
        let keep = min(overlap, filled)
        if let base = buffer.baseAddress { base.copyMemory(from: base + filled - keep, byteCount: keep) }
        offset += UInt64(filled - keep)
        filled = keep
        kept = keep
    }
}
