// SPDX-License-Identifier: Apache-2.0

import CCapstone

/// What an x86 instruction does to the program's state, as far as it is told from its operands.
struct X86Effect {
    let x86: cs_x86
    let id: x86_insn

    var effect: Instruction.Effect {
        switch id {
        case X86_INS_NOP, X86_INS_FNOP, X86_INS_PAUSE, X86_INS_ENDBR32, X86_INS_ENDBR64, X86_INS_CLC, X86_INS_STC, X86_INS_CMC, X86_INS_CLD:
            return .none
        case X86_INS_MOV, X86_INS_XCHG, X86_INS_MOVABS:
            return areSameRegister ? .none : .ordinary
        case X86_INS_XOR, X86_INS_SUB:
            return areSameRegister ? .zeroing : .ordinary
        default:
            return .ordinary
        }
    }

    /// What a neighbour may undo.
    var undoing: Instruction.Undoing? {
        switch id {
        case X86_INS_PUSH where first.type == X86_OP_REG: return .push(first.reg.rawValue)
        case X86_INS_POP where first.type == X86_OP_REG: return .pop(first.reg.rawValue)
        case X86_INS_XCHG where first.type == X86_OP_REG && second.type == X86_OP_REG && x86.op_count == 2:
            let registers = [first.reg.rawValue, second.reg.rawValue].sorted()
            return .exchange(registers[0], registers[1])
        default: return nil
        }
    }

    private var first: cs_x86_op { x86.operands.0 }
    private var second: cs_x86_op { x86.operands.1 }

    private var areSameRegister: Bool {
        x86.op_count == 2 && first.type == X86_OP_REG && second.type == X86_OP_REG && first.reg == second.reg
    }

    /// Where the immediates and displacements stand in the instruction. The number of an `int` is no operand of the attacker's
    /// choice.
    func operands(length: Int) -> [Range<Int>] {
        guard id != X86_INS_INT else { return [] }
        let fields = [(x86.encoding.imm_offset, x86.encoding.imm_size), (x86.encoding.disp_offset, x86.encoding.disp_size)]
        var ranges = fields.filter { $0.0 > 0 && $0.1 > 0 }.map { Int($0.0)..<min(length, Int($0.0) + Int($0.1)) }
        // Capstone gives the size of the address here, which is the rest of the instruction.
        if id == X86_INS_MOVABS, ranges.isEmpty, length > 8 { ranges = [length - 8..<length] }
        return ranges.filter { !$0.isEmpty }
    }
}
