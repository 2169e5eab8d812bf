// SPDX-License-Identifier: Apache-2.0

/// The headers of an ELF file for x86 (elf(5)), 64 or 32 bits wide, read from untrusted bytes.
public struct ElfImage: Sendable {
    /// A program header.
    public struct Segment: Hashable, Sendable {
        public var type: UInt32
        public var flags: UInt32
        public var offset: UInt64
        /// Where it is loaded, before relocation.
        public var address: UInt64
        public var fileSize: UInt64
        public var memorySize: UInt64

        /// PT_LOAD, PT_DYNAMIC and PT_INTERP.
        static let loadable: UInt32 = 1
        static let dynamic: UInt32 = 2
        static let interpreter: UInt32 = 3
        /// PF_X.
        static let executable: UInt32 = 1

        /// Whether a loader maps it.
        public var isLoadable: Bool { type == Self.loadable }
        /// Whether it is mapped executable: code.
        public var isExecutable: Bool { flags & Self.executable != 0 }
    }

    /// EM_386 and EM_X86_64.
    static let machine386: UInt16 = 3
    static let machineX86: UInt16 = 62
    /// How many program headers, and entries of the dynamic section, are read.
    static let maxSegments = 128
    static let maxDynamicEntries = 512

    public let is64Bit: Bool
    public let machine: UInt16
    /// Where execution begins, before relocation.
    public let entry: UInt64
    public let segments: [Segment]
    /// How many section headers there are: packers leave none.
    public let sectionCount: Int
    /// The dynamic section: the last value of each tag.
    let dynamic: [UInt64: UInt64]

    /// The size of an address in the file.
    var wordSize: Int { is64Bit ? 8 : 4 }

    /// `nil` for anything else than an x86 ELF file.
    public init?(_ file: FileBytes) {
        guard let start = file.read(0, 52), start.starts(with: [0x7F] + Array("ELF".utf8)), start[5] == 1, start[4] == 1 || start[4] == 2
        else { return nil }
        let is64Bit = start[4] == 2
        guard let header = is64Bit ? file.read(0, 64) : start, let machine = header.integer(UInt16.self, at: 18),
            machine == (is64Bit ? Self.machineX86 : Self.machine386)
        else { return nil }
        func word(_ place: Int) -> UInt64? {
            is64Bit ? header.integer(UInt64.self, at: place) : header.integer(UInt32.self, at: place).map(UInt64.init)
        }
        let numbers = is64Bit ? 52 : 40
        guard let entry = word(24), let table = word(is64Bit ? 32 : 28),
            let size = header.integer(UInt16.self, at: numbers + 2), size == (is64Bit ? 56 : 32),
            let count = header.integer(UInt16.self, at: numbers + 4), count <= Self.maxSegments,
            let sections = header.integer(UInt16.self, at: numbers + 8),
            let headers = file.read(table, Int(count) * Int(size))
        else { return nil }
        var segments: [Segment] = []
        for index in 0..<Int(count) {
            guard let segment = Self.segment(headers, at: index * Int(size), is64Bit: is64Bit) else { return nil }
            segments.append(segment)
        }
        self.is64Bit = is64Bit
        self.machine = machine
        self.entry = entry
        self.segments = segments
        sectionCount = Int(sections)
        dynamic = Self.dynamicEntries(file, segments, is64Bit: is64Bit)
    }

    private static func segment(_ headers: [UInt8], at place: Int, is64Bit: Bool) -> Segment? {
        func word(_ index: Int) -> UInt64? {
            is64Bit
                ? headers.integer(UInt64.self, at: place + 8 * index)
                : headers.integer(UInt32.self, at: place + 4 * index).map(UInt64.init)
        }
        guard let type = headers.integer(UInt32.self, at: place), let flags = headers.integer(UInt32.self, at: place + (is64Bit ? 4 : 24)),
            let offset = word(1), let address = word(2), let fileSize = word(4), let memorySize = word(5)
        else { return nil }
        return Segment(type: type, flags: flags, offset: offset, address: address, fileSize: fileSize, memorySize: memorySize)
    }

    private static func dynamicEntries(_ file: FileBytes, _ segments: [Segment], is64Bit: Bool) -> [UInt64: UInt64] {
        guard let segment = segments.first(where: { $0.type == Segment.dynamic }) else { return [:] }
        let size = is64Bit ? 8 : 4
        let count = min(Int(clamping: segment.fileSize) / (2 * size), maxDynamicEntries)
        guard let bytes = file.read(segment.offset, count * 2 * size) else { return [:] }
        var entries: [UInt64: UInt64] = [:]
        for index in 0..<count {
            let place = index * 2 * size
            guard let tag = bytes.word(at: place, size: size), let value = bytes.word(at: place + size, size: size), tag != 0 else { break }
            entries[tag] = value
        }
        return entries
    }

    /// The place in the file of an address before relocation; `nil` where no segment of the file has it.
    func fileOffset(of address: UInt64) -> UInt64? {
        for segment in segments where segment.isLoadable && address >= segment.address && address - segment.address < segment.fileSize {
            return segment.offset &+ (address - segment.address)
        }
        return nil
    }

    /// Whether an address before relocation lies in code.
    func isCode(_ address: UInt64) -> Bool {
        segments.contains { $0.isLoadable && $0.isExecutable && address >= $0.address && address - $0.address < $0.fileSize }
    }

    /// The address before relocation of a place in the file, by the segment that loads it.
    public func address(ofFileOffset offset: UInt64) -> UInt64? {
        for segment in segments where segment.isLoadable && offset >= segment.offset && offset - segment.offset < segment.fileSize {
            return segment.address &+ (offset - segment.offset)
        }
        return nil
    }

    /// What was added to the file's addresses, by one of its mappings; `nil` where no segment is mapped from that offset.
    func loadAddress(mapping start: UInt64, ofFileOffset offset: UInt64) -> UInt64? {
        for segment in segments where segment.isLoadable && segment.fileSize > 0 {
            guard offset &+ MapEntry.pageSize > segment.offset, offset < segment.offset &+ segment.fileSize else { continue }
            return start &- segment.address &+ segment.offset &- offset
        }
        return nil
    }

    /// The place in the file of a page of code, by its address before relocation.
    func codeOffset(of page: UInt64) -> UInt64? {
        for segment in segments where segment.isLoadable && segment.isExecutable {
            let start = segment.address & ~(MapEntry.pageSize - 1)
            guard page >= start, page < segment.address &+ segment.fileSize else { continue }
            return (segment.offset &- (segment.address - start)) &+ (page - start)
        }
        return nil
    }

    /// From the first address that the file is loaded at, before relocation, to the end of the last; whole pages.
    public var reservedAddresses: Range<UInt64>? {
        let loaded = segments.filter(\.isLoadable)
        guard let start = loaded.map(\.address).min() else { return nil }
        var end = start
        for segment in loaded {
            let (last, overflow) = segment.address.addingReportingOverflow(segment.memorySize)
            guard !overflow, last < 1 << 62 else { return nil }
            end = max(end, last)
        }
        let page = MapEntry.pageSize - 1
        return start & ~page..<(end + page) & ~page
    }
}

extension [UInt8] {
    /// A little-endian number of 8 or 4 bytes.
    func word(at place: Int, size: Int) -> UInt64? {
        size == 8 ? integer(UInt64.self, at: place) : integer(UInt32.self, at: place).map(UInt64.init)
    }
}
