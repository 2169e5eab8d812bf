// SPDX-License-Identifier: Apache-2.0

/// A call frame instruction (DW_CFA_*) of DWARF 5, section 6.4.2, with its operands as they are encoded: factored offsets
/// are not yet multiplied by the data alignment.
///
/// Instructions with the same effect on ``FrameProgram/Row`` share a case.
enum CallFrameInstruction: Equatable {
    case nop
    /// DW_CFA_advance_loc and its longer forms: in units of the code alignment.
    case advanceLocation(UInt64)
    case defineCFA(register: UInt64, offset: UInt64)
    case defineCFARegister(UInt64)
    case defineCFAOffset(UInt64)
    case defineCFAFactored(register: UInt64, offset: Int64)
    case defineCFAOffsetFactored(Int64)
    case defineCFAExpression
    /// DW_CFA_offset, DW_CFA_offset_extended and its signed form: the register is saved at an offset from the CFA.
    case offset(register: UInt64, factored: Int64)
    /// DW_CFA_restore, DW_CFA_restore_extended: the register's rule is as at the function's start.
    case restore(register: UInt64)
    /// All other rules for a register: undefined, same value, another register, an expression, a value.
    case otherRule(register: UInt64)
    case rememberState
    case restoreState

    /// Opcodes, as DWARF 5, table 7.29 names them.
    private enum Opcode {
        static let nop: UInt8 = 0x00
        static let advanceLocation1: UInt8 = 0x02
        static let advanceLocation2: UInt8 = 0x03
        static let advanceLocation4: UInt8 = 0x04
        static let offsetExtended: UInt8 = 0x05
        static let restoreExtended: UInt8 = 0x06
        static let undefined: UInt8 = 0x07
        static let sameValue: UInt8 = 0x08
        static let register: UInt8 = 0x09
        static let rememberState: UInt8 = 0x0A
        static let restoreState: UInt8 = 0x0B
        static let defineCFA: UInt8 = 0x0C
        static let defineCFARegister: UInt8 = 0x0D
        static let defineCFAOffset: UInt8 = 0x0E
        static let defineCFAExpression: UInt8 = 0x0F
        static let expression: UInt8 = 0x10
        static let offsetExtendedFactored: UInt8 = 0x11
        static let defineCFAFactored: UInt8 = 0x12
        static let defineCFAOffsetFactored: UInt8 = 0x13
        static let valueOffset: UInt8 = 0x14
        static let valueOffsetFactored: UInt8 = 0x15
        static let valueExpression: UInt8 = 0x16
        static let gnuArgumentsSize: UInt8 = 0x2E
    }

    /// The first two bits of an opcode that holds an operand in its other six.
    private enum Primary {
        static let advanceLocation: UInt8 = 1
        static let offset: UInt8 = 2
        static let restore: UInt8 = 3
    }
    private static let primaryOperand: UInt8 = 0x3F

    /// Decodes the next instruction; `nil` if it is truncated or unknown. DW_CFA_set_loc is among the unknown ones: no
    /// compiler emits it here.
    init?(_ reader: inout ByteReader) {
        guard let opcode = reader.integer(UInt8.self) else { return nil }
        let operand = UInt64(opcode & Self.primaryOperand)
        let decoded: CallFrameInstruction? =
            switch opcode >> 6 {
            case Primary.advanceLocation: .advanceLocation(operand)
            case Primary.offset: Self.offset(of: operand, &reader)
            case Primary.restore: .restore(register: operand)
            default: Self.extended(opcode, &reader)
            }
        guard let decoded else { return nil }
        self = decoded
    }

    private static func extended(_ opcode: UInt8, _ reader: inout ByteReader) -> CallFrameInstruction? {
        switch opcode {
        case Opcode.nop: return .nop
        case Opcode.advanceLocation1: return reader.integer(UInt8.self).map { .advanceLocation(UInt64($0)) }
        case Opcode.advanceLocation2: return reader.integer(UInt16.self).map { .advanceLocation(UInt64($0)) }
        case Opcode.advanceLocation4: return reader.integer(UInt32.self).map { .advanceLocation(UInt64($0)) }
        case Opcode.rememberState: return .rememberState
        case Opcode.restoreState: return .restoreState
        case Opcode.gnuArgumentsSize: return reader.unsigned().map { _ in .nop }
        case Opcode.defineCFA, Opcode.defineCFARegister, Opcode.defineCFAOffset, Opcode.defineCFAFactored,
            Opcode.defineCFAOffsetFactored, Opcode.defineCFAExpression:
            return definitionOfCFA(opcode, &reader)
        default: return registerRule(opcode, &reader)
        }
    }

    private static func definitionOfCFA(_ opcode: UInt8, _ reader: inout ByteReader) -> CallFrameInstruction? {
        switch opcode {
        case Opcode.defineCFA:
            guard let register = reader.unsigned(), let offset = reader.unsigned() else { return nil }
            return .defineCFA(register: register, offset: offset)
        case Opcode.defineCFAFactored:
            guard let register = reader.unsigned(), let offset = reader.signed() else { return nil }
            return .defineCFAFactored(register: register, offset: offset)
        case Opcode.defineCFARegister: return reader.unsigned().map { .defineCFARegister($0) }
        case Opcode.defineCFAOffset: return reader.unsigned().map { .defineCFAOffset($0) }
        case Opcode.defineCFAOffsetFactored: return reader.signed().map { .defineCFAOffsetFactored($0) }
        default: return skipBlock(&reader) ? .defineCFAExpression : nil
        }
    }

    private static func registerRule(_ opcode: UInt8, _ reader: inout ByteReader) -> CallFrameInstruction? {
        guard let register = reader.unsigned() else { return nil }
        switch opcode {
        case Opcode.offsetExtended: return offset(of: register, &reader)
        case Opcode.offsetExtendedFactored: return reader.signed().map { .offset(register: register, factored: $0) }
        case Opcode.restoreExtended: return .restore(register: register)
        case Opcode.undefined, Opcode.sameValue: return .otherRule(register: register)
        case Opcode.register, Opcode.valueOffset: return reader.unsigned().map { _ in .otherRule(register: register) }
        case Opcode.valueOffsetFactored: return reader.signed().map { _ in .otherRule(register: register) }
        case Opcode.expression, Opcode.valueExpression: return skipBlock(&reader) ? .otherRule(register: register) : nil
        default: return nil
        }
    }

    /// An offset that doesn't fit in 64 signed bits gives a rule that isn't understood.
    private static func offset(of register: UInt64, _ reader: inout ByteReader) -> CallFrameInstruction? {
        guard let factored = reader.unsigned() else { return nil }
        return Int64(exactly: factored).map { .offset(register: register, factored: $0) } ?? .otherRule(register: register)
    }

    /// Skips a DWARF expression: its length, then as many bytes.
    private static func skipBlock(_ reader: inout ByteReader) -> Bool {
        reader.unsigned().map { reader.skip($0) } ?? false
    }
}
