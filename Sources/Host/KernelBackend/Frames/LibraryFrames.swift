// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import ProcessInspection
import UnwindTables

/// The frames of a C library at every return address, and the jumps between its functions: with them the kernel program finds the
/// library's caller exactly, where a stale word on the stack could be mistaken for it, and knows which calls can have led there.
struct LibraryFrames {
    var inode: UInt64
    /// As the kernel encodes it: major << 20 | minor.
    var device: UInt32
    /// By the file offset of a calling instruction's last byte.
    var frames: [UInt64: Frame]
    var jumps: Set<LibraryJumps.Jump>

    struct Frame: Hashable {
        var end: FrameEnd
        /// The function's offset in the file; 0 where the jumps to it aren't known.
        var function: UInt32
        /// Whether it can be reached by a jump, or a call, through a register or memory.
        var isPointedAt: Bool
        /// The number of the system call that is made here; `nil`: none, or not always the same.
        var callNumber: UInt16?
    }

    /// For larger images the kernel program searches the stack.
    static let maxImageBytes = 16 << 20

    /// `nil` for an image without unwind tables.
    ///
    /// - Parameter bytes: the image.
    init?(_ library: CLibraries.Library, _ bytes: [UInt8]) {
        guard bytes.count <= Self.maxImageBytes, let layout = UnwindTable.layout(ofImage: Array(bytes.prefix(UnwindTable.maxHeaderSize))),
            let range = UnwindTable.range(of: layout), range.offset < UInt64(bytes.count)
        else { return nil }
        let start = Int(range.offset)
        guard let table = UnwindTable(layout, Array(bytes[start..<min(bytes.count, start + range.count)])) else { return nil }
        inode = library.inode
        device = library.device
        frames = [:]
        let known = LibraryJumps(bytes, table)
        jumps = known.isComplete ? known.jumps : []
        for (lower, upper) in library.executable {
            let end = min(upper, bytes.count)
            guard lower + 8 < end else { continue }
            for offset in (lower + 8)..<end where Self.canBeReturnAddress(bytes, offset) {
                guard let address = layout.address(ofFileOffset: UInt64(offset - 1)),
                    let frame = Self.isSystemCall(bytes, offset)
                        ? table.frameEnd(afterSystemCallAt: address) : table.frameEnd(at: address)
                else { continue }
                let function = layout.fileOffset(ofAddress: frame.function.lowerBound).flatMap { UInt32(exactly: $0) } ?? 0
                frames[UInt64(offset - 1)] = Frame(
                    end: frame, function: known.isComplete ? function : 0, isPointedAt: known.pointedAt.contains(function),
                    callNumber: Self.callNumber(bytes, offset))
            }
        }
    }

    /// The number that a system call's instruction is given right before: mov $NUMBER, %eax.
    private static func callNumber(_ bytes: [UInt8], _ offset: Int) -> UInt16? {
        guard isSystemCall(bytes, offset), bytes[offset - 7] == 0xB8, bytes[offset - 4] == 0, bytes[offset - 3] == 0 else { return nil }
        return UInt16(bytes[offset - 6]) | UInt16(bytes[offset - 5]) << 8
    }

    private static func isSystemCall(_ bytes: [UInt8], _ offset: Int) -> Bool { bytes[offset - 2] == 0x0F && bytes[offset - 1] == 0x05 }

    /// Whether a system call, a relative call or a call through a register or memory may end right before an offset. Bytes that
    /// only look like one do no harm: the unwind tables are valid there, too.
    private static func canBeReturnAddress(_ bytes: [UInt8], _ offset: Int) -> Bool {
        if isSystemCall(bytes, offset) { return true }
        return bytes.withUnsafeBytes {
            CallInstruction.ends(UnsafeRawBufferPointer(rebasing: $0[(offset - CallInstruction.maxLength)..<offset]))
        }
    }
}
