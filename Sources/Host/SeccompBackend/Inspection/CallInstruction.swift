// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import Glibc

/// Recognises the call instructions of x86, backwards from a return address.
enum CallInstruction {
    /// The longest call instruction looked for: opcode, ModRM, SIB, 32-bit displacement, and one prefix.
    static let longest = 8

    /// Whether the bytes may end with a call instruction. Any length that fits is enough: x86 can't be read backwards
    /// without doubt.
    static func ends(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
        func byte(_ fromEnd: Int) -> UInt8? {
            bytes.count >= fromEnd ? bytes[bytes.index(bytes.endIndex, offsetBy: -fromEnd)] : nil
        }
        // call rel32
        if byte(5) == 0xE8 { return true }
        // call r/m (FF /2): the length that the ModRM byte implies must be the length up to the end.
        for length in 2...7 where byte(length) == 0xFF {
            guard let modRM = byte(length - 1), modRM >> 3 & 7 == 2 else { continue }
            let sib = length >= 3 ? byte(length - 2) : nil
            if impliedLength(modRM: modRM, sib: sib) == length { return true }
        }
        return false
    }

    /// Whether the address may be one that a call returns to.
    static func precedes(_ address: UInt64, in memory: ProcessMemory) -> Bool {
        let wanted = min(UInt64(longest), address)
        let isRead = withUnsafeTemporaryAllocation(byteCount: longest, alignment: 8) { room -> Bool? in
            let room = UnsafeMutableRawBufferPointer(rebasing: room[..<Int(wanted)])
            let count = epitope_read_memory(memory.thread, address - wanted, room.baseAddress, room.count)
            return count == room.count ? ends(UnsafeRawBufferPointer(room)) : nil
        }
        if let isRead { return isRead }
        // The mapping may begin less than the longest instruction before.
        return (2..<max(2, Int(wanted))).reversed().contains { count in
            let bytes = memory.read(address - UInt64(count), count)
            return bytes.count == count && ends(bytes)
        }
    }

    private static func impliedLength(modRM: UInt8, sib: UInt8?) -> Int {
        let mode = modRM >> 6
        let register = modRM & 7
        guard mode != 3 else { return 2 }
        var length = 2
        var base = register
        if register == 4 {
            length += 1
            base = (sib ?? 0) & 7
        }
        switch mode {
        case 0: return base == 5 ? length + 4 : length
        case 1: return length + 1
        default: return length + 4
        }
    }
}
