// SPDX-License-Identifier: Apache-2.0

import CCapstone

/// The variable fields of an x86 instruction that Capstone has just decoded, at the offsets of its encoding information.
struct X86Fields {
    private let x86: cs_x86
    private let id: x86_insn
    private let end: UInt64
    private let length: Int
    private let isRelativeBranch: Bool
    private let addresses: AddressRange

    /// - Parameter instruction: decoded with details by the handle.
    init(_ instruction: UnsafeMutablePointer<cs_insn>, handle: csh, addresses: AddressRange) {
        x86 = instruction.pointee.detail.pointee.x86
        id = x86_insn(instruction.pointee.id)
        length = Int(instruction.pointee.size)
        end = instruction.pointee.address &+ UInt64(length)
        isRelativeBranch = cs_insn_group(handle, instruction, UInt32(X86_GRP_BRANCH_RELATIVE.rawValue))
        self.addresses = addresses
    }

    var kind: Instruction.Kind {
        switch id {
        case X86_INS_SYSCALL, X86_INS_SYSENTER, X86_INS_INT: .systemCall
        case X86_INS_CALL, X86_INS_LCALL: .functionCall
        default: .other
        }
    }

    /// The address that a relative branch or call leads to.
    var branchTarget: UInt64? {
        guard isRelativeBranch, x86.op_count > 0, x86.operands.0.type == X86_OP_IMM else { return nil }
        return target(x86.operands.0.imm)
    }

    /// The fields as offsets in the code.
    func fields(at offset: Int) -> [VariableField] {
        var result: [VariableField] = []
        func add(_ place: Range<Int>?, _ kind: VariableField.Kind) {
            guard let place, !place.isEmpty, place.upperBound <= length else { return }
            let field = VariableField(range: place.lowerBound + offset..<place.upperBound + offset, kind: kind)
            if !result.contains(where: { $0.range == field.range }) { result.append(field) }
        }
        let operands = withUnsafeBytes(of: x86.operands) { bytes in
            Array(bytes.bindMemory(to: cs_x86_op.self).prefix(Int(x86.op_count)))
        }
        for operand in operands {
            switch operand.type {
            case X86_OP_IMM:
                if isRelativeBranch {
                    if !addresses.holds(target(operand.imm)) { add(immediate, .branchDistance) }
                } else if isFar {
                    // A far pointer is an address and then a selector of two bytes.
                    add(1..<length - 2, .absoluteAddress)
                } else if let place = immediate, addresses.isPointer(target(operand.imm), size: place.count) {
                    // The two highest bytes of a 64-bit user-space address are always zero.
                    add(place.count == 8 ? place.dropLast(2) : place, .pointer)
                }
            case X86_OP_MEM:
                if let kind = kind(of: operand.mem) { add(isMemoryOffset ? tail : displacement, kind) }
            default: break
            }
        }
        return result
    }

    private func kind(of memory: x86_op_mem) -> VariableField.Kind? {
        if memory.base == X86_REG_RIP || memory.base == X86_REG_EIP {
            return addresses.holds(end &+ UInt64(bitPattern: memory.disp)) ? nil : .relativeAddress
        }
        // Thread-local storage is addressed from the segment's base: the offset doesn't vary.
        guard memory.segment != X86_REG_FS, memory.segment != X86_REG_GS else { return nil }
        let address = target(memory.disp)
        if memory.base == X86_REG_INVALID, memory.index == X86_REG_INVALID {
            return x86.encoding.disp_size != 0 || isMemoryOffset ? .absoluteAddress : nil
        }
        // With an index register and no base, the displacement is a table's address, or a small constant for arithmetic.
        if memory.base == X86_REG_INVALID, memory.disp >= Int64(AddressRange.lowest) { return .absoluteAddress }
        return addresses.isPointer(address, size: Int(x86.encoding.disp_size)) ? .pointer : nil
    }

    /// A value as an address of the word size: Capstone sign-extends immediates.
    private func target(_ value: Int64) -> UInt64 {
        addresses.wordSize == 4 ? UInt64(UInt32(truncatingIfNeeded: value)) : UInt64(bitPattern: value)
    }

    private var immediate: Range<Int>? {
        Self.place(x86.encoding.imm_offset, x86.encoding.imm_size)
    }

    private var displacement: Range<Int>? {
        Self.place(x86.encoding.disp_offset, x86.encoding.disp_size)
    }

    private static func place(_ offset: UInt8, _ size: UInt8) -> Range<Int>? {
        offset == 0 || size == 0 ? nil : Int(offset)..<Int(offset) + Int(size)
    }

    /// `mov` between the accumulator and an absolute address (opcodes A0 to A3).
    private var isMemoryOffset: Bool {
        x86.opcode.1 == 0 && (0xa0...0xa3).contains(x86.opcode.0) && id == X86_INS_MOV || id == X86_INS_MOVABS
    }

    /// The address of such a `mov`: the last bytes of the instruction.
    private var tail: Range<Int>? {
        let size = Int(x86.addr_size)
        return size < length ? length - size..<length : nil
    }

    /// `call` or `jmp` to a selector and an absolute address.
    private var isFar: Bool { (id == X86_INS_LCALL || id == X86_INS_LJMP) && length >= 5 }
}
