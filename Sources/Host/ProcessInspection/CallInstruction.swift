// SPDX-License-Identifier: Apache-2.0

/// Recognises the call instructions of x86 that end at a return address.
public enum CallInstruction {
    /// The longest call instruction that is looked for, in bytes: opcode, ModRM, SIB, 32-bit displacement and one prefix.
    public static let maxLength = 8

    /// `call rel32` is this opcode and four bytes of displacement.
    private static let relativeOpcode: UInt8 = 0xE8
    private static let relativeLength = 5
    /// `call r/m` is opcode FF with 2 in the ModRM byte's middle field (FF /2).
    private static let indirectOpcode: UInt8 = 0xFF
    private static let indirectExtension: UInt8 = 2
    private static let indirectLengths = 2...7

    /// Whether the bytes may end with a call instruction. One length that fits is enough: x86 code can't be decoded
    /// backwards without ambiguity.
    public static func ends(_ bytes: UnsafeRawBufferPointer) -> Bool {
        func byte(_ fromEnd: Int) -> UInt8? {
            bytes.count >= fromEnd ? bytes[bytes.count - fromEnd] : nil
        }
        if byte(relativeLength) == relativeOpcode { return true }
        // The length that the ModRM byte implies must be the length up to the end.
        for length in indirectLengths where byte(length) == indirectOpcode {
            guard let modRM = byte(length - 1), modRM >> 3 & 7 == indirectExtension else { continue }
            let sib = length >= 3 ? byte(length - 2) : nil
            if impliedLength(modRM: modRM, sib: sib) == length { return true }
        }
        return false
    }

    /// Whether the bytes may end with a call instruction.
    public static func ends(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { ends($0) } }

    /// Whether the bytes may be a call instruction from the first to the last.
    static func isWhole(_ bytes: [UInt8]) -> Bool {
        if bytes.first == relativeOpcode { return bytes.count == relativeLength }
        guard bytes.count >= 2, bytes[0] == indirectOpcode, bytes[1] >> 3 & 7 == indirectExtension else { return false }
        return impliedLength(modRM: bytes[1], sib: bytes.count > 2 ? bytes[2] : nil) == bytes.count
    }

    private static func impliedLength(modRM: UInt8, sib: UInt8?) -> Int {
        let mode = modRM >> 6
        let register = modRM & 7
        guard mode != 3 else { return 2 }
        var length = 2
        var base = register
        // Register 4 stands for a SIB byte, which names the base itself.
        if register == 4 {
            length += 1
            base = (sib ?? 0) & 7
        }
        switch mode {
        // Base 5 stands for a 32-bit displacement without a base.
        case 0: return base == 5 ? length + 4 : length
        case 1: return length + 1
        default: return length + 4
        }
    }
}
