// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import ProcessInspection
import UnwindTables

/// Frame sizes of a C library at every return address: with them the kernel program finds the library's caller exactly, where a
/// stale word on the stack could be mistaken for it.
struct LibraryFrames {
    var inode: UInt64
    /// As the kernel encodes it: major << 20 | minor.
    var device: UInt32
    /// The distance from the stack pointer to the end of the frame, by the file offset of a calling instruction's last byte.
    var sizes: [UInt64: UInt32]

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
        sizes = [:]
        for (lower, upper) in library.executable {
            let end = min(upper, bytes.count)
            guard lower + 8 < end else { continue }
            for offset in (lower + 8)..<end where Self.canBeReturnAddress(bytes, offset) {
                guard let address = layout.address(ofFileOffset: UInt64(offset - 1)),
                    let size = Self.isSystemCall(bytes, offset)
                        ? table.frameSize(afterSystemCallAt: address) : table.frameSize(at: address),
                    let size = UInt32(exactly: size), size >= 8
                else { continue }
                sizes[UInt64(offset - 1)] = size
            }
        }
    }

    private static func isSystemCall(_ bytes: [UInt8], _ offset: Int) -> Bool { bytes[offset - 2] == 0x0F && bytes[offset - 1] == 0x05 }

    /// Whether a system call, a relative call or a call through a register or memory may end right before an offset. Bytes that
    /// only look like one do no harm: the unwind tables are valid there, too.
    private static func canBeReturnAddress(_ bytes: [UInt8], _ offset: Int) -> Bool {
        if isSystemCall(bytes, offset) { return true }
        if bytes[offset - 5] == 0xE8 { return true }
        for length in [2, 3, 4, 6, 7] where bytes[offset - length] == 0xFF && bytes[offset - length + 1] & 0x38 == 0x10 { return true }
        return false
    }
}
