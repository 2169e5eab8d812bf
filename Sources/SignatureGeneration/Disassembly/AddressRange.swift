// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Decides which numbers in a piece of code are probably addresses.
struct AddressRange {
    /// In bytes on each side of the code: neighbouring mappings of the loader move together with it.
    static let nearness: UInt64 = 1 << 20
    /// The lowest address that Linux maps for a process without privileges (vm.mmap_min_addr).
    static let lowest: UInt64 = 0x1_0000
    /// The addresses of the position-independent image, libraries, mappings and stack of a 64-bit process on Linux.
    static let userSpace: ClosedRange<UInt64> = 0x5500_0000_0000...0x7fff_ffff_ffff

    let code: Range<UInt64>
    let wordSize: Int

    init(of code: ExtractedCode, wordSize: Int) {
        let end = code.base.addingReportingOverflow(UInt64(code.bytes.count))
        self.code = code.base..<(end.overflow ? .max : end.partialValue)
        self.wordSize = wordSize
    }

    func holds(_ address: UInt64) -> Bool { code.contains(address) }

    /// Whether a constant of this many bytes is an address. Six printable characters count as text.
    func isPointer(_ value: UInt64, size: Int) -> Bool {
        guard size >= 4, value >= Self.lowest else { return false }
        if code.lowerBound >= Self.lowest {
            let from = code.lowerBound - min(code.lowerBound, Self.nearness)
            let to = code.upperBound.addingReportingOverflow(Self.nearness)
            if value >= from, to.overflow || value < to.partialValue { return true }
        }
        guard size == 8, wordSize == 8, Self.userSpace.contains(value) else { return false }
        return !(0..<6).allSatisfy { (0x20..<0x7f).contains(UInt8(truncatingIfNeeded: value >> ($0 * 8))) }
    }
}
