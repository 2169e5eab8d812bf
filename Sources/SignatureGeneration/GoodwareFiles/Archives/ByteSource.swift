// SPDX-License-Identifier: Apache-2.0

import FileAccess
import GoodwareReading

/// The bytes of one layer: of a file, of what a filter makes of it, or of a member of an archive. They are given once, block by
/// block, each valid until the next is asked for.
class ByteSource {
    /// Gets each block before it is given.
    var tee: ((UnsafeRawBufferPointer) throws -> Void)?
    private let budget: UnpackingBudget
    /// What was looked at before it is given.
    private var peeked: UnsafeMutableRawBufferPointer?
    private var isPeekGiven = true

    init(_ budget: UnpackingBudget) {
        self.budget = budget
    }

    deinit { peeked?.deallocate() }

    /// The next block, without what was looked at; empty at the end.
    func fetch() throws -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    /// In bytes, where any place can be gone to; `nil` elsewhere.
    var seekableSize: Int? { nil }

    /// Goes to a place, where that is possible.
    func move(to place: Int) {}

    /// The place that the next block begins at, where any can be gone to.
    var place: Int { 0 }

    /// Goes to a place, where that is possible.
    final func seek(to place: Int) {
        isPeekGiven = true
        move(to: place)
    }

    /// The next block; empty at the end.
    final func next() throws -> UnsafeRawBufferPointer {
        let block: UnsafeRawBufferPointer
        if let peeked, !isPeekGiven { block = UnsafeRawBufferPointer(peeked) } else { block = try fetch() }
        isPeekGiven = true
        try budget.charge(block.count)
        if !block.isEmpty { try tee?(block) }
        return block
    }

    /// The first bytes, at least so many if there are, without taking them.
    final func peek(_ count: Int) throws -> [UInt8] {
        var head: [UInt8] = []
        while head.count < count, case let block = try fetch(), !block.isEmpty { head += block }
        peeked?.deallocate()
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: head.count, alignment: 16)
        copy.copyBytes(from: head)
        peeked = copy
        isPeekGiven = head.isEmpty
        return head
    }

    /// Bytes at a place, where any can be gone to; `nil` if there are not so many. Nothing is charged.
    func bytes(at offset: UInt64, count: Int) -> [UInt8]? { nil }

    /// Takes all that is left.
    final func drain() throws {
        while case let block = try next(), !block.isEmpty {}
    }

    /// Takes all that is left into memory; `nil`, at some place in it, if that is more than so many bytes.
    final func gather(maxBytes: Int) throws -> [UInt8]? {
        var all: [UInt8] = []
        while case let block = try next(), !block.isEmpty {
            guard all.count + block.count <= maxBytes else { return nil }
            all += block
        }
        return all
    }
}

/// A range of an open file.
final class FileSource: ByteSource {
    private let descriptor: Int32
    private let range: Range<Int>
    private var position: Int
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)

    init(_ descriptor: Int32, _ range: Range<Int>, _ budget: UnpackingBudget) {
        self.descriptor = descriptor
        self.range = range
        position = range.lowerBound
        super.init(budget)
    }

    deinit { buffer.deallocate() }

    override var seekableSize: Int? { range.count }
    override var place: Int { position - range.lowerBound }
    override func move(to place: Int) { position = range.lowerBound + min(max(0, place), range.count) }

    override func bytes(at offset: UInt64, count: Int) -> [UInt8]? {
        guard let offset = Int(exactly: offset), offset <= range.count, count <= range.count - offset,
            let bytes = try? DescriptorIO.bytes(descriptor, at: range.lowerBound + offset, count: count)
        else { return nil }
        return bytes.count == count ? bytes : nil
    }

    override func fetch() throws -> UnsafeRawBufferPointer {
        let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, range.upperBound - position)])
        guard !wanted.isEmpty else { return UnsafeRawBufferPointer(wanted) }
        do throws(FileError) {
            let count = try DescriptorIO.read(descriptor, into: wanted, at: position)
            position += count
            return UnsafeRawBufferPointer(rebasing: wanted[..<count])
        } catch {
            throw CorpusReader.Skipped(reason: error.description)
        }
    }
}

/// Bytes in memory.
final class MemorySource: ByteSource {
    private let bytes: UnsafeMutableRawBufferPointer
    private var position = 0
    private static let blockBytes = 256 << 10

    init(_ bytes: [UInt8], _ budget: UnpackingBudget) {
        self.bytes = .allocate(byteCount: bytes.count, alignment: 16)
        self.bytes.copyBytes(from: bytes)
        super.init(budget)
    }

    deinit { bytes.deallocate() }

    override var seekableSize: Int? { bytes.count }
    override var place: Int { position }
    override func move(to place: Int) { position = min(max(0, place), bytes.count) }

    override func bytes(at offset: UInt64, count: Int) -> [UInt8]? {
        guard let offset = Int(exactly: offset), offset <= bytes.count, count <= bytes.count - offset else { return nil }
        return Array(bytes[offset..<offset + count])
    }

    override func fetch() throws -> UnsafeRawBufferPointer {
        let end = min(bytes.count, position + Self.blockBytes)
        defer { position = end }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<end])
    }
}

/// Several sources, one after the other.
final class ChainedSource: ByteSource {
    private var sources: ArraySlice<ByteSource>

    init(_ sources: [ByteSource], _ budget: UnpackingBudget) {
        self.sources = sources[...]
        super.init(budget)
    }

    override func fetch() throws -> UnsafeRawBufferPointer {
        while let source = sources.first {
            let block = try source.fetch()
            if !block.isEmpty { return block }
            sources.removeFirst()
        }
        return UnsafeRawBufferPointer(start: nil, count: 0)
    }
}
