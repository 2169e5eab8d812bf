// SPDX-License-Identifier: Apache-2.0

/// Reads out of machine code where it can go: calls, jumps, and addresses that it takes.
///
/// Every byte is read as if an instruction began there, so no jump is missed; a few that are found are no jumps. That errs on
/// the side of a call that can have been made.
public enum JumpScan {
    /// What an instruction does that begins at some byte, with addresses of the kind that the scan was given.
    public enum Found: Hashable, Sendable {
        /// `call rel32`.
        case call(UInt64)
        /// A jump with a 32-bit displacement, conditional or not.
        case jump(UInt64)
        /// A jump of one byte's reach, conditional or not: meaningful only where a function begins.
        case shortJump(UInt64)
        /// `jmp *slot(%rip)`, with the slot.
        case slot(UInt64)
        /// A jump through a register or other memory. Most that are a `switch`'s add its table's entry to its address right
        /// before.
        case indirect(isSwitch: Bool)
        /// `lea place(%rip), REGISTER`, with the place.
        case address(UInt64)
    }

    /// - Parameters:
    ///   - code: bytes, of which displacements may be read beyond the range.
    ///   - range: which bytes of it instructions may begin at.
    ///   - address: of the first byte of `code`.
    public static func read(
        _ code: UnsafeRawBufferPointer, _ range: Range<Int>, startingAt address: UInt64, _ found: (Found) -> Void
    ) {
        func target(_ place: Int) -> UInt64? {
            guard place + 4 <= code.count else { return nil }
            let value = Int32(littleEndian: code.loadUnaligned(fromByteOffset: place, as: Int32.self))
            return address &+ UInt64(place + 4) &+ UInt64(bitPattern: Int64(value))
        }
        func shortTarget(_ place: Int) -> UInt64? {
            guard place < code.count else { return nil }
            return address &+ UInt64(place + 1) &+ UInt64(bitPattern: Int64(Int8(bitPattern: code[place])))
        }
        for place in range {
            let next = place + 1 < range.upperBound ? code[place + 1] : 0
            switch code[place] {
            case 0xE8: if let target = target(place + 1) { found(.call(target)) }
            case 0xE9: if let target = target(place + 1) { found(.jump(target)) }
            case 0x0F where next & 0xF0 == 0x80: if let target = target(place + 2) { found(.jump(target)) }
            case 0xEB, 0x70...0x7F: if let target = shortTarget(place + 1) { found(.shortJump(target)) }
            case 0xFF where next == 0x25: if let slot = target(place + 2) { found(.slot(slot)) }
            // FF /4.
            case 0xFF where next >> 3 & 7 == 4:
                // add %r, %r; jmp *%r
                let isSwitch =
                    place >= range.lowerBound + 3 && code[place - 3] & 0xF0 == 0x40 && [0x01, 0x03].contains(code[place - 2])
                found(.indirect(isSwitch: isSwitch))
            case 0x8D where next & 0xC7 == 0x05: if let target = target(place + 2) { found(.address(target)) }
            // mov REGISTER, (%rsp); ret: what thunks against speculation make of an indirect jump.
            case 0x48, 0x4C:
                if next == 0x89, place + 4 < range.upperBound, code[place + 2] & 0xC7 == 0x04, code[place + 3] == 0x24,
                    code[place + 4] == 0xC3
                {
                    found(.indirect(isSwitch: false))
                }
            default: break
            }
        }
    }
}
