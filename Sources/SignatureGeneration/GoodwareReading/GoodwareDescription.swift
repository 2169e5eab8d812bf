// SPDX-License-Identifier: Apache-2.0

package import FileAccess
package import GoodwareIndex

/// The description of an index file: its filters and sources.
package struct GoodwareDescription: Sendable {
    /// The shapes of one segment, and the position of its slots in the file.
    package struct Segment: Sendable {
        package var partitionBits: Int
        package var filters: [FuseShape]
        package var contents: IndexSegment.Contents
        package var start: Int
        package var length: Int
        package var digest: [UInt8]

        package init(
            partitionBits: Int, filters: [FuseShape], contents: IndexSegment.Contents, start: Int, length: Int, digest: [UInt8]
        ) {
            self.partitionBits = partitionBits
            self.filters = filters
            self.contents = contents
            self.start = start
            self.length = length
            self.digest = digest
        }

        /// The segment over the mapped slots.
        package func segment(in file: MemoryMap) throws -> IndexSegment {
            guard start >= GoodwareFile.headerLength, length >= 0, start <= file.bytes.count,
                length <= file.bytes.count - start
            else { throw FieldReader.CutOff() }
            let slots = ImmutableBytes(UnsafeRawBufferPointer(rebasing: file.bytes[start..<(start + length)]), ownedBy: file)
            guard let segment = IndexSegment(partitionBits: partitionBits, filters: filters, contents: contents, slots: slots)
            else { throw FieldReader.CutOff() }
            return segment
        }
    }

    package var segments: [Segment]
    package var pairs: BytePairs
    package var folders: [String]
    package var captures: [String]
    package var files: [CorpusFile]
    package var unread: UnreadFiles

    package init(
        segments: [Segment], pairs: BytePairs, folders: [String], captures: [String], files: [CorpusFile], unread: UnreadFiles
    ) {
        self.segments = segments
        self.pairs = pairs
        self.folders = folders
        self.captures = captures
        self.files = files
        self.unread = unread
    }

    package init(_ bytes: UnsafeRawBufferPointer) throws {
        var reader = FieldReader(bytes: bytes)
        segments = []
        for _ in 0..<(try reader.number(UInt32.self)) {
            let bits = Int(try reader.number(UInt32.self))
            guard bits <= 8 else { throw FieldReader.CutOff() }
            let contents = IndexSegment.Contents(
                corpusBytes: try reader.number(), keys: try reader.number(), sampledKeys: try reader.number())
            guard let start = Int(exactly: try reader.number(UInt64.self)), let length = Int(exactly: try reader.number(UInt64.self))
            else { throw FieldReader.CutOff() }
            let digest = Array(try reader.take(32))
            var filters: [FuseShape] = []
            for _ in 0..<(1 << bits) {
                filters.append(FuseShape(seed: try reader.number(), segments: try reader.number(), segmentBits: try reader.number()))
            }
            segments.append(
                Segment(partitionBits: bits, filters: filters, contents: contents, start: start, length: length, digest: digest))
        }
        var counts: [UInt64] = []
        for _ in 0..<65536 { counts.append(try reader.number()) }
        pairs = BytePairs(counts: counts) ?? BytePairs()
        folders = []
        for _ in 0..<(try reader.number(UInt32.self)) { folders.append(try reader.text()) }
        captures = []
        for _ in 0..<(try reader.number(UInt32.self)) { captures.append(try reader.text()) }
        files = []
        for _ in 0..<(try reader.number(UInt32.self)) {
            files.append(
                CorpusFile(
                    path: RawPath(bytes: try reader.counted(after: files.last?.path.bytes ?? [])), size: try reader.short(),
                    modified: try reader.number(),
                    device: try reader.short(), inode: try reader.short()))
        }
        let unreadCount = try reader.short()
        var named: [SkippedFile] = []
        for _ in 0..<min(unreadCount, UInt64(UnreadFiles.maxNamed)) {
            let path = RawPath(bytes: try reader.counted())
            named.append(SkippedFile(path: path, reason: String(decoding: try reader.counted(), as: UTF8.self)))
        }
        unread = UnreadFiles(count: unreadCount, named: named)
    }

    package var encoded: [UInt8] {
        var writer = FieldWriter()
        writer.number(UInt32(segments.count))
        for segment in segments {
            writer.number(UInt32(segment.partitionBits))
            for number in [segment.contents.corpusBytes, segment.contents.keys, segment.contents.sampledKeys] { writer.number(number) }
            writer.number(UInt64(segment.start))
            writer.number(UInt64(segment.length))
            writer.bytes += segment.digest
            for filter in segment.filters {
                writer.number(filter.seed)
                writer.number(filter.segments)
                writer.number(filter.segmentBits)
            }
        }
        for count in pairs.counts { writer.number(count) }
        for list in [folders, captures] {
            writer.number(UInt32(list.count))
            for entry in list { writer.text(entry) }
        }
        writer.number(UInt32(files.count))
        var last: [UInt8] = []
        for file in files {
            writer.counted(file.path.bytes, after: last)
            writer.short(file.size)
            writer.number(file.modified)
            writer.short(file.device)
            writer.short(file.inode)
            last = file.path.bytes
        }
        writer.short(unread.count)
        for file in unread.named {
            writer.counted(file.path.bytes)
            writer.counted(Array(file.reason.utf8))
        }
        return writer.bytes
    }
}
