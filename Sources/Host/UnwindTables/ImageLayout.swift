// SPDX-License-Identifier: Apache-2.0

extension UnwindTable {
    /// A loadable segment.
    public struct Segment: Equatable, Sendable {
        public var offset: UInt64
        public var address: UInt64
        public var size: UInt64
    }

    /// Where an image's tables are, from its headers.
    public struct Layout: Equatable, Sendable {
        public var segments: [Segment]
        public var index: Segment

        /// The address at which an offset in the file is loaded, before relocation.
        public func address(ofFileOffset offset: UInt64) -> UInt64? {
            for segment in segments where offset >= segment.offset && offset - segment.offset < segment.size {
                return segment.address &+ (offset - segment.offset)
            }
            return nil
        }
    }

    /// Reads the headers of an image; `nil` if it isn't an ELF image for x86-64, or has no index.
    public static func layout(ofImage header: [UInt8]) -> Layout? {
        header.withUnsafeBytes { raw in
            guard let headers = ELFHeader(raw) else { return nil }
            var segments: [Segment] = []
            var index: Segment?
            var reader = ByteReader(raw, from: headers.start, to: raw.count)
            for _ in 0..<headers.count {
                guard let (type, segment) = ELFHeader.programHeader(&reader) else { return nil }
                if type == ELFHeader.loadable { segments.append(segment) }
                if type == ELFHeader.frameIndex { index = segment }
            }
            return index.map { Layout(segments: segments, index: $0) }
        }
    }
}

/// The header of an ELF file, as far as it leads to the program headers (elf(5)).
private struct ELFHeader {
    /// PT_LOAD and PT_GNU_EH_FRAME.
    static let loadable: UInt32 = 1
    static let frameIndex: UInt32 = 0x6474_E550

    /// The file offset, and the number, of the program headers.
    let start: Int
    let count: UInt16

    /// The magic, then 64-bit (2) and little-endian (1).
    private static let identification: [UInt8] = [0x7F] + Array("ELF".utf8) + [2, 1]
    private static let size = 64
    /// EM_X86_64.
    private static let machine: UInt16 = 62
    /// The size of a program header.
    private static let programHeaderSize: UInt16 = 56
    /// The offsets of e_machine, e_phoff and e_phentsize, which e_phnum follows.
    private static let machineOffset = 18
    private static let programHeadersOffset = 32
    private static let programHeaderSizeOffset = 54

    init?(_ raw: UnsafeRawBufferPointer) {
        guard raw.count >= Self.size, raw.starts(with: Self.identification) else { return nil }
        var machine = ByteReader(raw, from: Self.machineOffset, to: raw.count)
        var place = ByteReader(raw, from: Self.programHeadersOffset, to: raw.count)
        var sizes = ByteReader(raw, from: Self.programHeaderSizeOffset, to: raw.count)
        guard machine.integer(UInt16.self) == Self.machine, let start = place.integer(UInt64.self), start < UInt64(raw.count),
            sizes.integer(UInt16.self) == Self.programHeaderSize, let count = sizes.integer(UInt16.self)
        else { return nil }
        self.start = Int(start)
        self.count = count
    }

    /// Reads a program header: type, flags, offset, address, physical address, size in the file, size in memory, alignment.
    static func programHeader(_ reader: inout ByteReader) -> (type: UInt32, segment: UnwindTable.Segment)? {
        guard let type = reader.integer(UInt32.self), reader.skip(4), let offset = reader.integer(UInt64.self),
            let address = reader.integer(UInt64.self), reader.skip(8), let size = reader.integer(UInt64.self),
            reader.skip(16)
        else { return nil }
        return (type, UnwindTable.Segment(offset: offset, address: address, size: size))
    }
}
