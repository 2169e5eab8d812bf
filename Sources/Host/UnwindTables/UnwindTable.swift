// SPDX-License-Identifier: Apache-2.0

/// The unwind tables of one x86-64 ELF image (`.eh_frame_hdr` and `.eh_frame`, Linux Standard Base 5, 10.6): bytes in,
/// the size of a frame out. The bytes may be anything.
public struct UnwindTable: Sendable {
    /// The most of an image that is read: the headers, and the tables.
    public static let largestHeader = 64 << 10
    static let largestTables = 8 << 20

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

        /// The address that a place in the file is loaded at, before relocation.
        public func address(ofFileOffset offset: UInt64) -> UInt64? {
            for segment in segments where offset >= segment.offset && offset - segment.offset < segment.size {
                return segment.address &+ (offset - segment.offset)
            }
            return nil
        }
    }

    /// Where the tables are.
    public let layout: Layout
    /// What the file holds from the index's start to the end of its segment.
    private let bytes: [UInt8]
    private let count: Int
    private let table: Int

    /// Reads the headers of an image; `nil` when it isn't one for x86-64, or has no index.
    public static func layout(ofImage header: [UInt8]) -> Layout? {
        header.withUnsafeBytes { raw in
            guard raw.count >= 64, raw.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]) else { return nil }
            var machine = ByteReader(raw, from: 18, to: 20)
            var place = ByteReader(raw, from: 32, to: 40)
            var sizes = ByteReader(raw, from: 54, to: 58)
            guard machine.integer(UInt16.self) == 62, let start = place.integer(UInt64.self), start < UInt64(raw.count),
                sizes.integer(UInt16.self) == 56, let number = sizes.integer(UInt16.self)
            else { return nil }
            var segments: [Segment] = []
            var index: Segment?
            var reader = ByteReader(raw, from: Int(start), to: raw.count)
            for _ in 0..<number {
                guard let type = reader.integer(UInt32.self), reader.skip(4), let offset = reader.integer(UInt64.self),
                    let address = reader.integer(UInt64.self), reader.skip(8), let size = reader.integer(UInt64.self),
                    reader.skip(16)
                else { return nil }
                let segment = Segment(offset: offset, address: address, size: size)
                if type == 1 { segments.append(segment) }
                if type == 0x6474_E550 { index = segment }
            }
            return index.map { Layout(segments: segments, index: $0) }
        }
    }

    /// The part of the file that the tables are read from; `nil` when it is too large or makes no sense.
    public static func range(of layout: Layout) -> (offset: UInt64, count: Int)? {
        for segment in layout.segments where layout.index.offset >= segment.offset {
            let before = layout.index.offset - segment.offset
            guard before < segment.size else { continue }
            let count = segment.size - before
            return count <= UInt64(largestTables) ? (layout.index.offset, Int(count)) : nil
        }
        return nil
    }

    /// - Parameter bytes: the file's, of ``range(of:)``. Linkers put `.eh_frame` right behind its index.
    public init?(_ layout: Layout, _ bytes: [UInt8]) {
        let opened = bytes.withUnsafeBytes { raw -> (Int, Int)? in
            var reader = ByteReader(raw, from: 0, to: raw.count)
            // Version 1; a count of 4 bytes; a sorted table of pairs of 4 bytes, relative to the index.
            guard reader.integer(UInt8.self) == 1, let pointer = reader.integer(UInt8.self),
                reader.integer(UInt8.self) == 0x03, reader.integer(UInt8.self) == 0x3B,
                Self.skip(&reader, encoding: pointer), let count = reader.integer(UInt32.self), count > 0,
                UInt64(count) * 8 <= UInt64(raw.count - reader.position)
            else { return nil }
            return (Int(count), reader.position)
        }
        guard let opened else { return nil }
        self.layout = layout
        self.bytes = bytes
        (count, table) = opened
    }

    /// The distance from the stack pointer to the CFA at an address (before relocation) within a function: the return
    /// address lies in the eight bytes below the CFA. `nil` where the tables don't say so.
    public func frameSize(at address: UInt64) -> Int? {
        bytes.withUnsafeBytes { raw in
            guard let description = description(for: address, raw) else { return nil }
            return Self.frameSize(at: address, description: description, raw, base: layout.index.address)
        }
    }

    /// The same after a system call, whose last byte lies at an address. C libraries end the description of what clones
    /// a process right before its system call, since it would be wrong in the child; for the parent, which waits there
    /// for a child of posix_spawn, what held before holds after.
    public func frameSize(afterSystemCallAt address: UInt64) -> Int? {
        frameSize(at: address) ?? (address > 2 ? frameSize(at: address - 2) : nil)
    }

    /// The place of the description of the last function that begins at or before an address.
    private func description(for address: UInt64, _ raw: UnsafeRawBufferPointer) -> Int? {
        func entry(_ index: Int) -> (start: UInt64, description: Int)? {
            var reader = ByteReader(raw, from: table + index * 8, to: raw.count)
            guard let start = reader.integer(Int32.self), let place = reader.integer(Int32.self) else { return nil }
            return (layout.index.address &+ UInt64(bitPattern: Int64(start)), Int(place))
        }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            guard let found = entry(middle) else { return nil }
            if found.start <= address { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? entry(low - 1)?.description : nil
    }

    private static func frameSize(
        at address: UInt64, description place: Int, _ raw: UnsafeRawBufferPointer, base: UInt64
    ) -> Int? {
        guard var function = record(at: place, raw), let back = function.integer(UInt32.self),
            let common = CommonPart(at: function.position - 4 - Int(back), raw)
        else { return nil }
        guard let start = pointer(&function, common.pointerEncoding, base: base),
            let length = pointer(&function, common.pointerEncoding & 0x0F, base: base), address >= start,
            address - start < length
        else { return nil }
        if common.hasAugmentation {
            guard let size = function.unsigned(), function.skip(size) else { return nil }
        }
        var instructions = common.instructions
        let empty = FrameProgram.Row(register: nil)
        guard let initial = common.program.run(&instructions, from: empty, initial: nil, target: .max) else { return nil }
        return common.program.run(&function, from: initial, initial: initial, target: address - start)?.size
    }

    /// A record of `.eh_frame`, from after its length to its end; `nil` for the terminator and the 64-bit form.
    fileprivate static func record(at place: Int, _ raw: UnsafeRawBufferPointer) -> ByteReader? {
        guard place >= 0, place < raw.count else { return nil }
        var reader = ByteReader(raw, from: place, to: raw.count)
        guard let length = reader.integer(UInt32.self), length > 0, length < 0xFFFF_FFF0,
            UInt64(length) <= UInt64(raw.count - reader.position)
        else { return nil }
        return ByteReader(raw, from: reader.position, to: reader.position + Int(length))
    }

    /// A pointer (DW_EH_PE_*): absolute, or relative to its own place.
    fileprivate static func pointer(_ reader: inout ByteReader, _ encoding: UInt8, base: UInt64) -> UInt64? {
        let own = base &+ UInt64(reader.position)
        let value: UInt64?
        switch encoding & 0x0F {
        case 0x00, 0x04, 0x0C: value = reader.integer(UInt64.self)
        case 0x02: value = reader.integer(UInt16.self).map { UInt64($0) }
        case 0x03: value = reader.integer(UInt32.self).map { UInt64($0) }
        case 0x0A: value = reader.integer(Int16.self).map { UInt64(bitPattern: Int64($0)) }
        case 0x0B: value = reader.integer(Int32.self).map { UInt64(bitPattern: Int64($0)) }
        default: return nil
        }
        switch encoding & 0xF0 {
        case 0x00: return value
        case 0x10: return value.map { $0 &+ own }
        default: return nil
        }
    }

    /// Passes over a pointer whose value isn't needed.
    fileprivate static func skip(_ reader: inout ByteReader, encoding: UInt8) -> Bool {
        pointer(&reader, encoding & 0x0F, base: 0) != nil
    }
}

/// What the functions of one compilation have in common (a CIE).
private struct CommonPart {
    let program: FrameProgram
    let pointerEncoding: UInt8
    let hasAugmentation: Bool
    let instructions: ByteReader

    init?(at place: Int, _ raw: UnsafeRawBufferPointer) {
        guard var reader = UnwindTable.record(at: place, raw), reader.integer(UInt32.self) == 0,
            let version = reader.integer(UInt8.self), version == 1 || version == 3
        else { return nil }
        var letters: [UInt8] = []
        while let letter = reader.integer(UInt8.self), letter != 0 {
            guard letters.count < 8 else { return nil }
            letters.append(letter)
        }
        guard let codeAlignment = reader.unsigned(), let dataAlignment = reader.signed(),
            let column = version == 1 ? reader.integer(UInt8.self).map({ UInt64($0) }) : reader.unsigned(),
            column == FrameProgram.returnAddress
        else { return nil }
        var encoding: UInt8 = 0
        if let first = letters.first {
            guard first == UInt8(ascii: "z"), let size = reader.unsigned() else { return nil }
            let start = reader.position
            for letter in letters.dropFirst() {
                switch letter {
                case UInt8(ascii: "R"):
                    guard let value = reader.integer(UInt8.self) else { return nil }
                    encoding = value
                case UInt8(ascii: "L"): guard reader.skip(1) else { return nil }
                case UInt8(ascii: "P"):
                    guard let own = reader.integer(UInt8.self), UnwindTable.skip(&reader, encoding: own) else { return nil }
                default: return nil  // S: a signal's frame, whose caller was interrupted and didn't call
                }
            }
            let read = UInt64(reader.position - start)
            guard read <= size, reader.skip(size - read) else { return nil }
        }
        program = FrameProgram(codeAlignment: codeAlignment, dataAlignment: dataAlignment)
        pointerEncoding = encoding
        hasAugmentation = !letters.isEmpty
        instructions = reader
    }
}
