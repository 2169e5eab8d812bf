// SPDX-License-Identifier: Apache-2.0

import CCapstone
import EpitopeModel

/// Decodes one piece of code with Capstone, from a copy in memory of its own, and never beyond its end.
struct InstructionDecoder: ~Copyable {
    /// In bytes: the longest instruction of x86.
    static let maxLength = 15

    private let handle: csh
    private let instruction: UnsafeMutablePointer<cs_insn>
    private let code: ExtractedCode
    private let architecture: Architecture
    private let addresses: AddressRange
    private let withText: Bool
    /// In bytes: the alignment of instructions, counted from the caller's address.
    let alignment: Int

    /// `nil` if Capstone was built without the architecture, or memory is short.
    init?(architecture: Architecture, code: ExtractedCode, withText: Bool) {
        var handle = csh()
        let opened =
            switch architecture {
            case .x86_32: cs_open(CS_ARCH_X86, CS_MODE_32, &handle)
            case .x86_64: cs_open(CS_ARCH_X86, CS_MODE_64, &handle)
            case .arm64: cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &handle)
            }
        guard opened == CS_ERR_OK else { return nil }
        guard cs_option(handle, CS_OPT_DETAIL, Int(CS_OPT_ON.rawValue)) == CS_ERR_OK, let instruction = cs_malloc(handle) else {
            cs_close(&handle)
            return nil
        }
        self.handle = handle
        self.instruction = instruction
        self.code = code
        self.architecture = architecture
        self.withText = withText
        addresses = AddressRange(of: code, wordSize: architecture.wordSize)
        alignment = architecture == .arm64 ? 4 : 1
    }

    deinit {
        cs_free(instruction, 1)
        var handle = handle
        cs_close(&handle)
    }

    /// The instruction at an offset; `nil` if none is there that ends at the limit or before.
    func decode(at offset: Int, limit: Int) -> Instruction? {
        guard offset >= 0, offset < limit, limit <= code.bytes.count else { return nil }
        // An instruction has at most 15 bytes on x86 and 4 on arm64.
        let found = code.bytes.withUnsafeBufferPointer { bytes in
            var pointer = bytes.baseAddress.map { $0 + offset }
            var size = min(limit - offset, 16)
            var address = code.base &+ UInt64(offset)
            return cs_disasm_iter(handle, &pointer, &size, &address, instruction)
        }
        let length = Int(instruction.pointee.size)
        guard found, length > 0, offset + length <= limit else { return nil }
        let range = offset..<offset + length
        switch architecture {
        case .arm64:
            let word = code.bytes[range].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let variable = ARM64Fields.fields(of: word, at: offset, address: code.base &+ UInt64(offset), addresses: addresses)
            var instruction = Instruction(
                range: range, kind: ARM64Fields.kind(of: word), text: text, variable: variable, codeBits: ARM64Fields.codeBits,
                branchTarget: ARM64Fields.branchDistance(of: word).map { offset + $0 })
            instruction.operands = ARM64Fields.operands(of: word, at: offset)
            instruction.effect = word == ARM64Fields.nop ? .none : .ordinary
            return instruction
        case .x86_32, .x86_64:
            let x86 = X86Fields(instruction, handle: handle, addresses: addresses)
            let likelihood = X86Likelihood(
                x86: instruction.pointee.detail.pointee.x86, id: x86_insn(instruction.pointee.id),
                isPrivileged: cs_insn_group(handle, instruction, UInt32(X86_GRP_PRIVILEGE.rawValue)),
                is32Bit: architecture == .x86_32, bytes: code.bytes[range])
            var decoded = Instruction(
                range: range, kind: x86.kind, text: text, variable: x86.fields(at: offset), codeBits: likelihood.bits,
                branchTarget: x86.branchTarget.map { Int(truncatingIfNeeded: $0 &- code.base) })
            let effect = X86Effect(x86: instruction.pointee.detail.pointee.x86, id: x86_insn(instruction.pointee.id))
            (decoded.effect, decoded.undoing) = (effect.effect, effect.undoing)
            decoded.operands = effect.operands(length: length).map { $0.lowerBound + offset..<$0.upperBound + offset }
            return decoded
        }
    }

    /// One instruction after the other, and data where none can be decoded.
    func sweep(_ part: Range<Int>) -> [Instruction] {
        var result: [Instruction] = []
        var offset = part.lowerBound
        var dataStart: Int?
        // Otherwise an aligned stream would not end at the end of the part, which is the caller's address.
        if !part.count.isMultiple(of: alignment), part.upperBound != code.bytes.count {
            offset += part.count % alignment
            result += data(part.lowerBound..<offset)
        }
        while offset < part.upperBound {
            if let instruction = decode(at: offset, limit: part.upperBound) {
                if let start = dataStart { result += data(start..<offset) }
                dataStart = nil
                result.append(instruction)
                offset = instruction.range.upperBound
            } else {
                dataStart = dataStart ?? offset
                offset = min(offset + alignment, part.upperBound)
            }
        }
        if let start = dataStart { result += data(start..<offset) }
        return result
    }

    /// Rows of at most eight bytes of data.
    func data(_ range: Range<Int>) -> [Instruction] {
        stride(from: range.lowerBound, to: range.upperBound, by: 8).map { start in
            let row = start..<min(start + 8, range.upperBound)
            let text = withText ? ".byte " + code.bytes[row].map { "0x" + Hex.encode([$0]) }.joined(separator: ", ") : ""
            return Instruction(range: row, kind: .data, text: text, variable: [], codeBits: OpcodeBits.ofData * row.count)
        }
    }

    private var text: String {
        guard withText else { return "" }
        let mnemonic = Self.string(&instruction.pointee.mnemonic)
        let operands = Self.string(&instruction.pointee.op_str)
        return operands.isEmpty ? mnemonic : "\(mnemonic) \(operands)"
    }

    /// A C array of characters up to its NUL, or all of it if there is none.
    private static func string<T>(_ characters: inout T) -> String {
        withUnsafeBytes(of: &characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
