// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The variable fields of an arm64 instruction. Immediates are bit fields, so every byte with one of their bits varies.
/// Encodings: Arm Architecture Reference Manual for A-profile, chapter C4 (A64 instruction set encoding).
enum ARM64Fields {
    static func kind(of word: UInt32) -> Instruction.Kind {
        if word & 0xffe0_001f == 0xd400_0001 { return .systemCall }
        // bl; blr and its authenticating forms.
        if word & 0xfc00_0000 == 0x9400_0000 || word & 0xfeff_f000 == 0xd63f_0000 { return .functionCall }
        return .other
    }

    /// In bits: about half of all words are instructions, and all words of code.
    static let codeBits = 1

    static let nop: UInt32 = 0xd503_201f

    /// The bytes with bits of a constant that is moved into a register (imm16 in bits 5 to 20 of `movn`, `movz`, `movk`), or of the
    /// distance of a branch or an address.
    static func operands(of word: UInt32, at offset: Int) -> [Range<Int>] {
        let isMove = word & 0x1f80_0000 == 0x1280_0000
        let isAddress = word & 0x1f00_0000 == 0x1000_0000
        return isMove || isAddress || branchDistance(of: word) != nil ? [offset..<offset + 3] : []
    }

    /// In bytes: how far a branch or call with an immediate leads; `nil` for other instructions.
    static func branchDistance(of word: UInt32) -> Int? {
        let distance: Int64? =
            if word & 0x7c00_0000 == 0x1400_0000 {
                signed(word, from: 0, bits: 26)
            } else if word & 0xff00_0010 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 {
                signed(word, from: 5, bits: 19)
            } else if word & 0x7e00_0000 == 0x3600_0000 {
                signed(word, from: 5, bits: 14)
            } else {
                nil
            }
        return distance.map { Int($0) * 4 }
    }

    static func fields(of word: UInt32, at offset: Int, address: UInt64, addresses: AddressRange) -> [VariableField] {
        func field(_ bytes: Int, _ distance: Int64, _ kind: VariableField.Kind) -> [VariableField] {
            addresses.holds(address &+ UInt64(bitPattern: distance)) ? [] : [VariableField(range: offset..<offset + bytes, kind: kind)]
        }
        // b, bl: imm26 in bits 0 to 25.
        if word & 0x7c00_0000 == 0x1400_0000 { return field(4, signed(word, from: 0, bits: 26) * 4, .branchDistance) }
        // b.cond, cbz, cbnz: imm19 in bits 5 to 23.
        if word & 0xff00_0010 == 0x5400_0000 || word & 0x7e00_0000 == 0x3400_0000 {
            return field(3, signed(word, from: 5, bits: 19) * 4, .branchDistance)
        }
        // tbz, tbnz: imm14 in bits 5 to 18.
        if word & 0x7e00_0000 == 0x3600_0000 { return field(3, signed(word, from: 5, bits: 14) * 4, .branchDistance) }
        // ldr of a literal: imm19.
        if word & 0x3b00_0000 == 0x1800_0000 { return field(3, signed(word, from: 5, bits: 19) * 4, .relativeAddress) }
        // adr, adrp: two low bits in 29 and 30, the rest in 5 to 23.
        let isPage = word & 0x8000_0000 != 0
        guard word & 0x1f00_0000 == 0x1000_0000 else { return [] }
        let distance = signed(word, from: 5, bits: 19) * 4 + Int64(word >> 29 & 3)
        guard isPage else { return field(4, distance, .relativeAddress) }
        let page = (address & ~0xfff) &+ UInt64(bitPattern: distance * 4096)
        let pages = (addresses.code.lowerBound & ~0xfff)..<addresses.code.upperBound
        return pages.contains(page) ? [] : [VariableField(range: offset..<offset + 4, kind: .relativeAddress)]
    }

    /// Finds addresses that are built in steps: the low 12 bits added to a page (`adrp`, then `add`, `ldr` or `str`),
    /// and 16 bits at a time (`movz`, then `movk`).
    static func maskPairs(in instructions: inout [Instruction], of code: ExtractedCode) {
        let addresses = AddressRange(of: code, wordSize: 8)
        var page: UInt32?
        var made: (register: UInt32, value: UInt64, parts: [Int]) = (32, 0, [])
        func finish(_ instructions: inout [Instruction]) {
            guard made.parts.count > 1, addresses.isPointer(made.value, size: 8) else { return }
            for index in made.parts {
                let start = instructions[index].range.lowerBound
                // imm16 in bits 5 to 20.
                instructions[index].variable.append(VariableField(range: start..<start + 3, kind: .pointer))
            }
        }
        for index in instructions.indices {
            let range = instructions[index].range
            let word = range.count == 4 ? code.bytes[range].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } : 0
            // imm12 in bits 10 to 21 of add, and of loads and stores with an unsigned offset.
            if let register = page, word >> 5 & 31 == register, word & 0x7f80_0000 == 0x1100_0000 || word & 0x3b00_0000 == 0x3900_0000 {
                instructions[index].variable.append(
                    VariableField(range: range.lowerBound + 1..<range.lowerBound + 3, kind: .relativeAddress))
            }
            page = word & 0x9f00_0000 == 0x9000_0000 && !instructions[index].variable.isEmpty ? word & 31 : nil
            let part = UInt64(word >> 5 & 0xffff) << UInt64((word >> 21 & 3) * 16)
            if word & 0xff80_0000 == 0xd280_0000 {
                finish(&instructions)
                made = (word & 31, part, [index])
            } else if word & 0xff80_0000 == 0xf280_0000, word & 31 == made.register {
                made = (made.register, made.value | part, made.parts + [index])
            } else {
                finish(&instructions)
                made = (32, 0, [])
            }
        }
        finish(&instructions)
    }

    /// A bit field as a signed number.
    private static func signed(_ word: UInt32, from: Int, bits: Int) -> Int64 {
        let field = word >> UInt32(from) & (1 << UInt32(bits) - 1)
        return Int64(field) - (field >> UInt32(bits - 1) == 1 ? 1 << Int64(bits) : 0)
    }
}
