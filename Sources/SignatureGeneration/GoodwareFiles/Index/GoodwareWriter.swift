// SPDX-License-Identifier: Apache-2.0

import Crypto
import FileAccess
import Foundation
import GoodwareIndex
import GoodwareReading
import Synchronization

/// Writes an index to a temporary file and renames it when it is complete.
final class GoodwareWriter {
    let folder: String
    private let file: AtomicFile
    private var position = 0
    private var segments: [GoodwareDescription.Segment] = []

    init(_ path: String) throws {
        folder = Folders.parent(of: path)
        file = try PartitionedKeyFile.Failure.wrapping { () throws(FileError) in
            try AtomicFile(replacing: path, mode: 0o644, isExact: false)
        }
        try [UInt8](repeating: 0, count: GoodwareFile.headerLength).withUnsafeBytes { try append($0) }
    }

    /// Copies a segment of an older file.
    func copy(_ segment: IndexSegment) throws {
        try segment.withSlots { slots in
            let digest = Array(SHA256.hash(data: slots))
            describe(
                partitionBits: segment.partitionBits, filters: segment.filters, contents: segment.contents, length: slots.count,
                digest: digest)
            try append(slots)
        }
    }

    /// Adds a new segment with all keys.
    func add(_ spill: PartitionedKeyFile, corpusBytes: UInt64) throws {
        // Some millions of keys for each filter: smaller filters need more bits for each key.
        var bits = 0
        while bits < PartitionedKeyFile.partitionBits, spill.count >> (bits + 1) > 4 << 20 { bits += 1 }
        let each = 1 << (PartitionedKeyFile.partitionBits - bits)
        var contents = IndexSegment.Contents(corpusBytes: corpusBytes)
        var filters: [FuseShape] = []
        var hash = SHA256()
        let start = position
        let cores = max(1, ProcessInfo.processInfo.activeProcessorCount)
        let workspaces = (0..<cores).map { _ in FilterWorkspace() }
        for first in stride(from: 0, to: 1 << bits, by: cores) {
            // In their order in the file, one for each core at a time.
            for built in try Self.filters(first..<min(1 << bits, first + cores), of: spill, each: each, bits: bits, workspaces) {
                contents.keys += UInt64(built.keys)
                contents.sampledKeys += UInt64(built.sampled)
                filters.append(built.shape)
                try built.slots.withUnsafeBytes { slots in
                    hash.update(bufferPointer: slots)
                    try append(slots)
                }
            }
        }
        let length = position - start
        describe(partitionBits: bits, filters: filters, contents: contents, start: start, length: length, digest: Array(hash.finalize()))
    }

    private static func filters(
        _ partitions: Range<Int>, of spill: PartitionedKeyFile, each: Int, bits: Int, _ workspaces: [FilterWorkspace]
    ) throws -> [(shape: FuseShape, slots: [UInt8], keys: Int, sampled: Int)] {
        let built = Mutex([Int: Result<(shape: FuseShape, slots: [UInt8], keys: Int, sampled: Int), any Error>]())
        DispatchQueue.concurrentPerform(iterations: partitions.count) { index in
            let partition = partitions.lowerBound + index
            let result = Result {
                let parts = (partition * each)..<((partition + 1) * each)
                let keys = workspaces[index].keys(spill.count(parts: parts))
                try spill.read(parts: parts, into: keys)
                return IndexSegment.filter(of: keys, partitionBits: bits, in: workspaces[index])
            }
            built.withLock { $0[partition] = result }
        }
        return try built.withLock { built in try partitions.compactMap { try built[$0]?.get() } }
    }

    func finish(pairs: BytePairs, folders: [String], captures: [String], files: [CorpusFile], unread: UnreadFiles) throws {
        let description = GoodwareDescription(
            segments: segments, pairs: pairs, folders: folders, captures: captures, files: files, unread: unread
        ).encoded
        var header = FieldWriter()
        header.bytes = GoodwareFile.magic
        header.number(GoodwareFile.version)
        header.number(UInt32(0))
        header.number(UInt64(position))
        header.number(UInt64(description.count))
        let digest = header.bytes.withUnsafeBytes { header in
            description.withUnsafeBytes { GoodwareFile.digest(header: header[...], description: $0) }
        }
        try description.withUnsafeBytes { try append($0) }
        position = 0
        try (header.bytes + digest).withUnsafeBytes { try append($0) }
        try PartitionedKeyFile.Failure.wrapping { () throws(FileError) in try file.commit() }
    }

    private func describe(
        partitionBits: Int, filters: [FuseShape], contents: IndexSegment.Contents, start: Int? = nil, length: Int, digest: [UInt8]
    ) {
        segments.append(
            .init(
                partitionBits: partitionBits, filters: filters, contents: contents, start: start ?? position, length: length,
                digest: digest))
    }

    private func append(_ bytes: UnsafeRawBufferPointer) throws {
        try PartitionedKeyFile.Failure.wrapping { () throws(FileError) in
            try DescriptorIO.write(bytes, to: file.descriptor.number, at: position)
        }
        position += bytes.count
    }
}
