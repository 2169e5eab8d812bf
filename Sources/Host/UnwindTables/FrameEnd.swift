// SPDX-License-Identifier: Apache-2.0

/// Where a function's frame ends at one of its addresses, for somebody who knows the stack pointer and the frame pointer: the
/// return address lies in the eight bytes below.
public struct FrameEnd: Hashable, Sendable {
    /// What the frame's end is measured from.
    public enum Base: Hashable, Sendable {
        case stackPointer
        case framePointer
    }

    /// What the function did with its caller's frame pointer.
    public enum FramePointer: Hashable, Sendable {
        case unchanged
        /// So many bytes below the frame's end.
        case saved(below: Int)
        /// Somewhere else.
        case lost
    }

    public var base: Base
    /// From the base to the frame's end, in bytes.
    public var distance: Int
    public var framePointer: FramePointer
    /// The function's addresses, before relocation.
    public var function: Range<UInt64>
}

extension UnwindTable {
    /// The frame's end at an address (before relocation) within a function; `nil` if the tables don't say so.
    public func frameEnd(at address: UInt64) -> FrameEnd? {
        bytes.withUnsafeBytes { raw in
            guard let place = description(for: address, raw), var function = FrameDescription(at: place, raw, base: firstAddress),
                function.range.contains(address), let row = function.row(at: address)
            else { return nil }
            if let size = row.size {
                return FrameEnd(base: .stackPointer, distance: size, framePointer: row.framePointer, function: function.range)
            }
            guard row.register == FrameProgram.framePointer, row.returnsBelow, row.offset >= 16, row.offset <= FrameProgram.maxFrameSize
            else { return nil }
            return FrameEnd(base: .framePointer, distance: Int(row.offset), framePointer: row.framePointer, function: function.range)
        }
    }

    /// The frame's end after a system call whose last byte lies at an address: see ``frameSize(afterSystemCallAt:)``.
    public func frameEnd(afterSystemCallAt address: UInt64) -> FrameEnd? {
        frameEnd(at: address) ?? (address > 2 ? frameEnd(at: address - 2) : nil)
    }

    /// The functions that the tables describe, by their first address. The seldom part of a function may be one of its own.
    public var functions: [Range<UInt64>] {
        bytes.withUnsafeBytes { raw in
            (0..<count).compactMap { number in
                var reader = ByteReader(raw, from: table + number * Self.entrySize + 4, to: raw.count)
                return reader.integer(Int32.self).flatMap { FrameDescription(at: index + Int($0), raw, base: firstAddress)?.range }
            }
        }
    }
}

/// A frame description entry (FDE): a function's addresses, and the instructions that say where its frame ends.
private struct FrameDescription {
    let range: Range<UInt64>
    private let common: CommonInformation
    private var instructions: ByteReader

    init?(at place: Int, _ raw: UnsafeRawBufferPointer, base: UInt64) {
        guard var reader = FrameRecord.reader(at: place, raw), let back = reader.integer(UInt32.self),
            let common = CommonInformation(at: reader.position - MemoryLayout<UInt32>.size - Int(back), raw),
            let start = PointerEncoding.pointer(&reader, common.pointerEncoding, base: base),
            let length = PointerEncoding.pointer(&reader, common.pointerEncoding & PointerEncoding.formatMask, base: base),
            case let (end, overflow) = start.addingReportingOverflow(length), !overflow
        else { return nil }
        if common.hasAugmentation {
            guard let size = reader.unsigned(), reader.skip(size) else { return nil }
        }
        range = start..<end
        self.common = common
        instructions = reader
    }

    mutating func row(at address: UInt64) -> FrameProgram.Row? {
        var shared = common.instructions
        let empty = FrameProgram.Row(register: nil)
        guard let initial = common.program.run(&shared, from: empty, initial: nil, target: .max) else { return nil }
        return common.program.run(&instructions, from: initial, initial: initial, target: address - range.lowerBound)
    }
}
