// SPDX-License-Identifier: Apache-2.0

import GoodwareReading

/// Reads the contents of one file, layer by layer: archives and compressed files, also in one another, and the compressed
/// sections of programs. Every layer's bytes are read, packed and unpacked, each once: the members of an archive that stores them
/// as they are have been read with it.
///
/// Nothing is written to disk. Costs what ``UnpackingBudget`` allows, and the memory of libarchive's buffers, one chunk for each
/// layer, and at most ``maxGathered`` for what must be read from its end.
final class Unpacker {
    /// In bytes: a longer program, or archive that must be read from its end, is not looked into inside of another.
    static let maxGathered = 64 << 20

    private let budget: UnpackingBudget
    private let units: ChunkerStack
    /// Why something was not read: the first reason, and how many there are.
    private(set) var firstFault: String?
    private(set) var faults = 0

    /// - Parameter size: of the file, in bytes.
    init(size: UInt64, units: ChunkerStack) {
        budget = UnpackingBudget(size: size)
        self.units = units
    }

    /// Reads what an open file holds beyond its own bytes, which have been read.
    ///
    /// - Parameters:
    ///   - range: of the file, in bytes.
    ///   - endsAsZip: whether the file's end says that it is a zip archive, whatever its beginning is.
    /// - Throws: errors of the chunker's body. What can't be read is counted in ``faults``.
    func read(_ descriptor: Int32, _ range: Range<Int>, name: String, endsAsZip: Bool) throws {
        do {
            let source = FileSource(descriptor, range, budget)
            let form = FarBytes.form(of: source)
            let kind = try form.map { .unreadable($0) } ?? ContentKind(source.peek(ContentKind.headBytes))
            try layer(source, kind, name: name, depth: 0, isRead: true)
            if endsAsZip, kind != .archive(.zip) {
                try layer(FileSource(descriptor, range, budget), .archive(.zip), name: name, depth: 0, isRead: true)
            }
        } catch let exceeded as UnpackingBudget.Exceeded {
            fault(exceeded.reason)
        } catch let skipped as CorpusReader.Skipped {
            fault(skipped.reason)
        }
    }

    private func fault(_ reason: String) {
        faults += 1
        if firstFault == nil { firstFault = reason }
    }

    /// - Parameters:
    ///   - unit: what the layer's own bytes are called, if not as their file.
    ///   - isRead: whether the layer's own bytes have been read.
    private func layer(
        _ source: ByteSource, _ kind: ContentKind, name: String, unit title: String? = nil, depth: Int, isRead: Bool
    ) throws {
        guard !isRead || kind != .plain else { return }
        let unit = isRead ? nil : units.begin(title ?? name, depth: depth)
        let far = FarBytes()
        if let unit {
            source.tee = {
                far.add($0)
                try unit.append($0)
            }
        }
        defer { source.tee = nil }
        do {
            do {
                if depth < UnpackingBudget.maxDepth {
                    try open(kind, source, name: name, depth: depth)
                } else if !kind.isItself {
                    fault("\(name): it is nested more than \(UnpackingBudget.maxDepth) deep")
                }
            } catch let skipped as CorpusReader.Skipped {
                fault(depth == 0 ? skipped.reason : "\(name): \(skipped.reason)")
            }
            // What a reader left: behind an archive's end, or behind a fault.
            if unit != nil { try source.drain() }
            if let form = far.form { fault("\(name): \(Self.reason(form))") }
        } catch let skipped as CorpusReader.Skipped {
            if faults == 0 { fault("\(name): \(skipped.reason)") }
        } catch {
            try unit?.end()
            throw error
        }
        try unit?.end()
    }

    private static func reason(_ form: String) -> String { "it is \(form), which is not read: unpack it and add the folder" }

    private func open(_ kind: ContentKind, _ source: ByteSource, name: String, depth: Int) throws {
        switch kind {
        case .plain: break
        case .unreadable(let form):
            throw CorpusReader.Skipped(reason: Self.reason(form))
        case .compressed(let compression):
            let opened = try OpenArchive(compression, source)
            _ = try opened.nextHeader()
            try layer(of: opened, name: name, unit: "\(name) (unpacked)", depth: depth, isRead: false)
        case .elf: try program(source, name: name, depth: depth)
        case .windows: try windowsProgram(source, name: name, depth: depth)
        case .script: try script(source, name: name, depth: depth)
        case .archive(let form):
            guard form.needsSeeking, source.seekableSize == nil else { return try members(of: source, form, name: name, depth: depth) }
            guard let bytes = try source.gather(maxBytes: Self.maxGathered) else {
                throw CorpusReader.Skipped(reason: "it must be read from its end, and has more than \(Self.maxGathered >> 20) MiB")
            }
            try members(of: MemorySource(bytes, budget), form, name: name, depth: depth)
        }
    }

    /// Reads the layer below: a filter's output, or a member.
    private func layer(of opened: OpenArchive, name: String, unit: String? = nil, depth: Int, isRead: Bool) throws {
        let contents = opened.contents(budget)
        let kind: ContentKind
        do {
            kind = ContentKind(try contents.peek(ContentKind.headBytes))
        } catch let skipped as CorpusReader.Skipped {
            return fault("\(name): \(skipped.reason)")
        }
        try layer(contents, kind, name: name, unit: unit, depth: depth + 1, isRead: isRead)
    }

    private func members(of source: ByteSource, _ form: ArchiveForm, name: String, depth: Int) throws {
        let opened = try OpenArchive(form, source)
        reading: while true {
            try budget.charge(UnpackingBudget.memberBytes)
            switch try opened.nextHeader() {
            case .end: break reading
            case .unreadable(let error): fault("\(name): \((error as? CorpusReader.Skipped)?.reason ?? "\(error)")")
            case .member(let member) where member.isFile:
                let isRead = form.storesPlainly && !member.isSparse
                try layer(of: opened, name: "\(name): \(member.name)", depth: depth, isRead: isRead)
            case .member: break
            }
        }
        if [.cpio, .tar].contains(form) { try rest(of: source, from: opened.consumed, name: name, depth: depth) }
    }

    /// Reads what is packed behind the end of something else, behind zeros: an initial file system of Linux has a compressed
    /// archive behind a plain one, an AppImage an image behind a program.
    private func rest(of source: ByteSource, from consumed: Int, name: String, depth: Int) throws {
        guard let size = source.seekableSize, consumed > 0, consumed < size else { return }
        source.seek(to: consumed)
        var place = consumed
        while case let block = try source.next(), !block.isEmpty {
            guard let used = block.firstIndex(where: { $0 != 0 }) else {
                place += block.count
                continue
            }
            source.seek(to: place + used)
            return try behind(place + used, ContentKind(try source.peek(ContentKind.headBytes)), of: source, name: name, depth: depth)
        }
    }

    private func behind(_ place: Int, _ kind: ContentKind, of source: ByteSource, name: String, depth: Int) throws {
        guard !kind.isItself else { return }
        source.seek(to: place)
        try layer(BehindSource(source, from: place, budget), kind, name: "\(name): behind its end", depth: depth + 1, isRead: true)
    }

    /// Where something can be read from any place: the source, or all of it in memory.
    private func anywhere(_ source: ByteSource) throws -> ByteSource {
        if source.seekableSize != nil { return source }
        if let bytes = try source.gather(maxBytes: Self.maxGathered) { return MemorySource(bytes, budget) }
        throw CorpusReader.Skipped(reason: "what is packed in it is not looked at: it has more than \(Self.maxGathered >> 20) MiB")
    }

    private func script(_ source: ByteSource, name: String, depth: Int) throws {
        let script = try anywhere(source)
        let head = script.bytes(at: 0, count: min(script.seekableSize ?? 0, PackedBehindScript.searchedBytes)) ?? []
        guard let (place, kind) = PackedBehindScript.first(in: head) else { return }
        try behind(place, kind, of: script, name: name, depth: depth)
    }

    private func program(_ source: ByteSource, name: String, depth: Int) throws {
        let program = try anywhere(source)
        try sections(of: program, name: name, depth: depth)
        let end = ElfSections.end(size: UInt64(program.seekableSize ?? 0), read: { program.bytes(at: $0, count: $1) })
        try rest(of: program, from: Int(end), name: name, depth: depth)
    }

    private func windowsProgram(_ source: ByteSource, name: String, depth: Int) throws {
        let program = try anywhere(source)
        let end = WindowsProgram.end(size: UInt64(program.seekableSize ?? 0), read: { program.bytes(at: $0, count: $1) })
        try rest(of: program, from: Int(end), name: name, depth: depth)
    }

    /// Reads the compressed sections of a program, each as a unit of its own.
    private func sections(of program: ByteSource, name: String, depth: Int) throws {
        let size = program.seekableSize ?? 0
        for section in ElfSections.compressed(size: UInt64(size), read: { program.bytes(at: $0, count: $1) }) {
            let (lower, upper) = (Int(section.range.lowerBound), Int(section.range.upperBound))
            let name = "\(name): section \(section.number)"
            switch section.compression {
            case .zstd:
                let packed = BehindSource(program, from: lower, to: upper, budget)
                try layer(packed, .compressed(.zstd), name: name, depth: depth + 1, isRead: true)
            case .zlib:
                // libarchive reads deflate in gzip's frame (RFC 1952), not in zlib's (RFC 1950), which has the same bytes between a
                // header of two bytes and a checksum of four. It ignores gzip's checksum and length.
                guard upper - lower > 6 else {
                    fault("\(name): it is truncated")
                    continue
                }
                let packed = ChainedSource(
                    [
                        MemorySource([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], budget),
                        BehindSource(program, from: lower + 2, to: upper - 4, budget), MemorySource(Array(repeating: 0, count: 8), budget),
                    ], budget)
                try layer(packed, .compressed(.gzip), name: name, depth: depth + 1, isRead: true)
            case .other(let number): fault("\(name): it has the unknown compression \(number)")
            }
        }
    }
}

/// A part of a source that can be read anywhere.
private final class BehindSource: ByteSource {
    private let whole: ByteSource
    private let range: Range<Int>
    private var position = 0

    init(_ whole: ByteSource, from start: Int, to end: Int? = nil, _ budget: UnpackingBudget) {
        self.whole = whole
        range = start..<max(start, min(end ?? .max, whole.seekableSize ?? start))
        super.init(budget)
    }

    override var seekableSize: Int? { range.count }
    override var place: Int { position }
    override func move(to place: Int) { position = min(max(0, place), range.count) }

    override func fetch() throws -> UnsafeRawBufferPointer {
        whole.seek(to: range.lowerBound + position)
        let block = try whole.fetch()
        let given = UnsafeRawBufferPointer(rebasing: block.prefix(range.count - position))
        position += given.count
        return given
    }
}
