// SPDX-License-Identifier: Apache-2.0

/// What a call instruction that ends at a return address calls. x86 code can't be decoded backwards without ambiguity, so
/// there may be several readings of the same bytes.
public enum CallForm: Hashable, Sendable {
    /// `call rel32`: the function at an address (before relocation).
    case direct(UInt64)
    /// `call *slot(%rip)`: the function whose address is in a slot at an address (before relocation), of an import table mostly.
    case slot(UInt64)
    /// A call through a register, or through memory that registers point to.
    case indirect

    /// The longest call instruction, in bytes: opcode, ModRM, SIB, 32-bit displacement and one prefix.
    public static let maxLength = 8

    private static let directOpcode: UInt8 = 0xE8
    private static let directLength = 5
    /// `call r/m` is opcode FF with 2 in the ModRM byte's middle field.
    private static let indirectOpcode: UInt8 = 0xFF
    private static let callExtension: UInt8 = 2
    private static let indirectLengths = 2...7
    /// The ModRM byte of `call *displacement(%rip)`, which is six bytes long.
    private static let slotModRM: UInt8 = 0x15
    private static let slotLength = 6

    /// The calls that the bytes may end with.
    ///
    /// - Parameters:
    ///   - bytes: that end at the return address; at most ``maxLength`` are looked at.
    ///   - address: the return address, before relocation.
    public static func readings(of bytes: [UInt8], endingAt address: UInt64) -> [CallForm] {
        let count = bytes.count
        func displacement() -> UInt64 {
            let low = bytes.suffix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return address &+ UInt64(bitPattern: Int64(Int32(bitPattern: low)))
        }
        var found: [CallForm] = []
        if count >= directLength, bytes[count - directLength] == directOpcode { found.append(.direct(displacement())) }
        for length in indirectLengths where count >= length && bytes[count - length] == indirectOpcode {
            let modRM = bytes[count - length + 1]
            guard modRM >> 3 & 7 == callExtension else { continue }
            if modRM == slotModRM {
                if length == slotLength { found.append(.slot(displacement())) }
                continue
            }
            let sib = length >= 3 ? bytes[count - length + 2] : 0
            if encodedLength(modRM: modRM, sib: sib) == length { found.append(.indirect) }
        }
        return found
    }

    /// The length of opcode, ModRM, SIB and displacement.
    static func encodedLength(modRM: UInt8, sib: UInt8) -> Int {
        let mode = modRM >> 6
        guard mode != 3 else { return 2 }
        let hasSIB = modRM & 7 == 4
        let base = hasSIB ? sib & 7 : modRM & 7
        let length = hasSIB ? 3 : 2
        switch mode {
        // Base 5 stands for a 32-bit displacement without a base.
        case 0: return base == 5 ? length + 4 : length
        case 1: return length + 1
        default: return length + 4
        }
    }
}
