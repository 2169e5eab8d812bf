// SPDX-License-Identifier: Apache-2.0

/// The unwind tables of one x86-64 ELF image (`.eh_frame_hdr` and `.eh_frame`, Linux Standard Base 5, 10.6). It takes bytes
/// and returns the sizes of frames. The bytes may be anything.
public struct UnwindTable: Sendable {
    /// How much of an image is read, in bytes: of the headers, and of the tables.
    public static let maxHeaderSize = 64 << 10
    static let maxTablesSize = 8 << 20
    /// The version of `.eh_frame_hdr`.
    private static let indexVersion: UInt8 = 1
    /// The size of an entry of the index: a function's start and the place of its description, 4 bytes each.
    static let entrySize = 8

    /// Where the tables are.
    public let layout: Layout
    /// The file's bytes with the index and `.eh_frame`.
    let bytes: [UInt8]
    /// How many bytes it keeps.
    public var byteCount: Int { bytes.count }
    /// Where the index begins in them.
    let index: Int
    /// The number of the index's entries, and where they begin.
    let count: Int
    let table: Int

    /// The part of the file that the tables are read from; `nil` if it is too large or makes no sense.
    ///
    /// - Parameter index: the first bytes of the index, which say where `.eh_frame` lies: some linkers put it before. Without
    ///   them it is taken to lie right behind.
    public static func range(of layout: Layout, index: [UInt8] = []) -> (offset: UInt64, count: Int)? {
        for segment in layout.segments where layout.index.offset >= segment.offset {
            let before = layout.index.offset - segment.offset
            guard before < segment.size else { continue }
            if let distance = distanceToFrames(index), distance <= before {
                let count = distance + min(layout.index.size, segment.size - before)
                return count <= UInt64(maxTablesSize) ? (layout.index.offset - distance, Int(count)) : nil
            }
            let count = segment.size - before
            return count <= UInt64(maxTablesSize) ? (layout.index.offset, Int(count)) : nil
        }
        return nil
    }

    /// How many bytes of an index's beginning say where `.eh_frame` lies.
    public static let indexHeadSize = 8

    /// How far before its index `.eh_frame` begins; `nil` if it lies behind, or nothing is said that is understood.
    private static func distanceToFrames(_ index: [UInt8]) -> UInt64? {
        index.withUnsafeBytes { raw in
            var reader = ByteReader(raw, from: 0, to: raw.count)
            guard reader.integer(UInt8.self) == indexVersion, let encoding = reader.integer(UInt8.self), reader.skip(2),
                encoding == PointerEncoding.placeRelativeSigned4, let distance = reader.integer(Int32.self)
            else { return nil }
            let fromIndex = Int64(distance) + 4
            return fromIndex < 0 ? UInt64(-fromIndex) : nil
        }
    }

    /// Reads the table of an image out of its file, and nothing else of it; `nil` where it has none.
    ///
    /// - Parameter read: so many bytes at an offset in the file, fewer at its end; `nil` if they can't be read.
    public static func read(by read: (_ offset: Int, _ count: Int) -> [UInt8]?) -> UnwindTable? {
        guard let header = read(0, maxHeaderSize), let layout = layout(ofImage: header), let index = Int(exactly: layout.index.offset),
            let head = read(index, indexHeadSize), let range = range(of: layout, index: head), let start = Int(exactly: range.offset),
            let bytes = read(start, range.count)
        else { return nil }
        return UnwindTable(layout, bytes, at: range.offset)
    }

    /// `nil` if the bytes aren't an index of the usual form: with a count of 4 bytes, and a sorted table of pairs of 4 bytes
    /// that are relative to the index.
    ///
    /// - Parameters:
    ///   - bytes: the file's, of ``range(of:index:)``.
    ///   - offset: of the first byte in the file; `nil`: the index's.
    public init?(_ layout: Layout, _ bytes: [UInt8], at offset: UInt64? = nil) {
        guard let start = Int(exactly: layout.index.offset &- (offset ?? layout.index.offset)), start < bytes.count else { return nil }
        let opened = bytes.withUnsafeBytes { raw -> (Int, Int)? in
            var reader = ByteReader(raw, from: start, to: raw.count)
            guard reader.integer(UInt8.self) == Self.indexVersion, let pointer = reader.integer(UInt8.self),
                reader.integer(UInt8.self) == PointerEncoding.unsigned4,
                reader.integer(UInt8.self) == PointerEncoding.indexRelativeSigned4,
                PointerEncoding.skip(&reader, encoding: pointer), let count = reader.integer(UInt32.self), count > 0,
                UInt64(count) * UInt64(Self.entrySize) <= UInt64(raw.count - reader.position)
            else { return nil }
            return (Int(count), reader.position)
        }
        guard let opened else { return nil }
        self.layout = layout
        self.bytes = bytes
        index = start
        (count, table) = opened
    }

    /// The distance from the stack pointer to the CFA at an address (before relocation) within a function: the return
    /// address lies in the eight bytes below the CFA. `nil` if the tables don't say so.
    public func frameSize(at address: UInt64) -> Int? {
        bytes.withUnsafeBytes { raw in
            guard let description = description(for: address, raw) else { return nil }
            return Self.frameSize(at: address, description: description, raw, base: firstAddress)
        }
    }

    /// Where a function ends its frame, at one of its addresses.
    public enum Frame: Equatable, Sendable {
        /// So many bytes above the stack pointer: the return address lies right below.
        case size(Int)
        /// Measured from another register, which nobody outside knows.
        case otherRegister
        /// The tables don't say, as where a thread begins.
        case unknown
    }

    /// A function as the tables state it, at one of its addresses.
    public struct Function: Equatable, Sendable {
        /// The function's addresses, before relocation. The seldom part of a function may have a range of its own.
        public var range: Range<UInt64>
        public var frame: Frame
    }

    /// The function that an address (before relocation) lies in, with its frame there; `nil` where the tables name none.
    public func function(at address: UInt64) -> Function? {
        bytes.withUnsafeBytes { raw in
            guard let description = description(for: address, raw) else { return nil }
            return Self.function(at: address, description: description, raw, base: firstAddress)
        }
    }

    /// The function after a system call whose last byte lies at an address: ``frameSize(afterSystemCallAt:)`` says why it may
    /// be the one before it.
    public func function(afterSystemCallAt address: UInt64) -> Function? {
        function(at: address) ?? (address > 2 ? function(at: address - 2) : nil)
    }

    /// The frame size after a system call whose last byte lies at an address. C libraries end the description of a function
    /// that clones a process right before its system call, since it would be wrong in the child; for the parent, which waits
    /// there for a child of posix_spawn, the description from before the call is right.
    public func frameSize(afterSystemCallAt address: UInt64) -> Int? {
        frameSize(at: address) ?? (address > 2 ? frameSize(at: address - 2) : nil)
    }

    /// The address of the first byte, before relocation.
    var firstAddress: UInt64 { layout.index.address &- UInt64(index) }

    /// The place of the description of the last function that begins at or before an address.
    func description(for address: UInt64, _ raw: UnsafeRawBufferPointer) -> Int? {
        func entry(_ index: Int) -> (start: UInt64, description: Int)? {
            var reader = ByteReader(raw, from: table + index * Self.entrySize, to: raw.count)
            guard let start = reader.integer(Int32.self), let place = reader.integer(Int32.self) else { return nil }
            return (layout.index.address &+ UInt64(bitPattern: Int64(start)), self.index + Int(place))
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
        guard case .size(let size) = function(at: address, description: place, raw, base: base)?.frame else { return nil }
        return size
    }

    /// - Parameter place: where the function's frame description entry (FDE) lies.
    private static func function(
        at address: UInt64, description place: Int, _ raw: UnsafeRawBufferPointer, base: UInt64
    ) -> Function? {
        guard var function = FrameRecord.reader(at: place, raw), let back = function.integer(UInt32.self),
            let common = CommonInformation(at: function.position - MemoryLayout<UInt32>.size - Int(back), raw)
        else { return nil }
        let lengthEncoding = common.pointerEncoding & PointerEncoding.formatMask
        guard let start = PointerEncoding.pointer(&function, common.pointerEncoding, base: base),
            let length = PointerEncoding.pointer(&function, lengthEncoding, base: base), address >= start,
            address - start < length
        else { return nil }
        let (end, overflow) = start.addingReportingOverflow(length)
        guard !overflow else { return nil }
        var found = Function(range: start..<end, frame: .unknown)
        if common.hasAugmentation {
            guard let size = function.unsigned(), function.skip(size) else { return found }
        }
        var instructions = common.instructions
        let empty = FrameProgram.Row(register: nil)
        guard let initial = common.program.run(&instructions, from: empty, initial: nil, target: .max),
            let row = common.program.run(&function, from: initial, initial: initial, target: address - start)
        else { return found }
        if let size = row.size {
            found.frame = .size(size)
        } else if let register = row.register, register != FrameProgram.stackPointer, row.returnsBelow {
            found.frame = .otherRegister
        }
        return found
    }
}
