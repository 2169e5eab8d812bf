// SPDX-License-Identifier: Apache-2.0

import CCapstone
import EpitopeModel

/// How much more likely the bytes of an x86 instruction are code than data, in bits.
///
/// Nearly all bytes decode as some instruction, text among them. What tells code from data is how often programs use an
/// opcode (``OpcodeBits``), and forms that only data takes.
struct X86Likelihood {
    /// In bits: no opcode counts for more.
    private static let most = 4
    /// Prefixes that code hardly has: of a segment that 64-bit code ignores, of the address size, `lock`.
    private static let (segment, addressSize, lock) = (-4, -3, -2)
    /// A prefix that the next one makes void, as no assembler writes it.
    private static let voidPrefix = -4
    /// Arithmetic on memory that a register points to, on a byte of it, and on more: what small numbers and digits seem to be.
    private static let (byteOfMemory, memory) = (-2, -1)

    let x86: cs_x86
    let id: x86_insn
    let isPrivileged: Bool
    let is32Bit: Bool
    let bytes: ArraySlice<UInt8>

    var bits: Int {
        guard !isPrivileged, !isZeros, !isOtherInterrupt else { return OpcodeBits.ofData }
        return max(OpcodeBits.ofData, min(Self.most, bitsOfOpcode) + bitsOfPrefixes)
    }

    private var bitsOfOpcode: Int {
        let opcode = x86.opcode.0
        if opcode == 0x0f { return Int(OpcodeBits.twoByte[Int(x86.opcode.1)]) }
        // One-byte inc and dec, pusha and popa: prefixes, or nothing, in 64-bit code.
        if is32Bit, (0x40...0x4f).contains(opcode) { return 1 }
        if is32Bit, opcode == 0x60 || opcode == 0x61 { return 0 }
        let bits = Int(OpcodeBits.oneByte[Int(opcode)])
        guard opcode < 0x40, opcode & 7 < 4 else { return bits }
        if opcode & 1 == 0, x86.modrm >> 6 != 3 { return min(bits, Self.byteOfMemory) }
        return x86.modrm >> 6 == 0 ? min(bits, Self.memory) : bits
    }

    private var bitsOfPrefixes: Int {
        var bits = 0
        if x86.prefix.0 == 0xf0 { bits += Self.lock }
        if [0x26, 0x2e, 0x36, 0x3e].contains(x86.prefix.1) { bits += Self.segment }
        if x86.prefix.3 != 0 { bits += Self.addressSize }
        // Half of all instructions of 64-bit code have one, and one in sixteen bytes of data is one.
        if x86.rex != 0 { bits += hasVoidPrefix ? Self.voidPrefix : 1 }
        return bits
    }

    /// Whether another prefix follows that of 64-bit registers.
    private var hasVoidPrefix: Bool {
        guard let first = bytes.firstIndex(where: { (0x40...0x4f).contains($0) }), first + 1 < bytes.endIndex else { return false }
        return (0x40...0x4f).contains(bytes[first + 1]) || [0x66, 0x67, 0xf2, 0xf3].contains(bytes[first + 1])
    }

    /// `add [rax], al`: two zeros.
    private var isZeros: Bool { x86.opcode.0 == 0 && bytes.first == 0 && bytes.dropFirst().first == 0 }

    /// `int` with another number than that of system calls. Also `int3`: a breakpoint ends code that nobody debugs.
    private var isOtherInterrupt: Bool { id == X86_INS_INT && bytes.last != 0x80 || id == X86_INS_INT3 || id == X86_INS_INT1 }
}
