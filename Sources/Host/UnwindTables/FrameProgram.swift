// SPDX-License-Identifier: Apache-2.0

/// The call frame instructions of DWARF (section 6.4.2 of version 5), as far as they tell where a frame of x86-64
/// begins: the canonical frame address (CFA) as a distance from the stack pointer, with the return address right below.
/// What says anything else gives no answer.
struct FrameProgram {
    /// Register numbers of the x86-64 psABI.
    static let stackPointer: UInt64 = 7
    static let returnAddress: UInt64 = 16
    /// `DW_CFA_remember_state` within one function: compilers nest them two deep.
    static let deepest = 16
    /// The largest frame believed, in bytes: a thread's whole default stack.
    static let largestFrame: Int64 = 8 << 20

    let codeAlignment: UInt64
    let dataAlignment: Int64

    struct Row: Equatable {
        /// `nil`: an expression.
        var register: UInt64?
        var offset: Int64 = 0
        /// Whether the return address lies in the eight bytes below the CFA.
        var returnsBelow = false

        /// The distance from the stack pointer to the CFA; `nil` where it isn't one.
        var size: Int? {
            guard register == FrameProgram.stackPointer, returnsBelow, offset >= 8, offset <= FrameProgram.largestFrame,
                offset % 8 == 0
            else { return nil }
            return Int(offset)
        }
    }

    /// Runs instructions until their location passes `target` (in bytes from the function's start), or to their end.
    /// Each instruction takes at least a byte: the work is bounded by the bytes.
    ///
    /// - Parameters:
    ///   - row: where to begin.
    ///   - initial: the row that the common part left: what `DW_CFA_restore` goes back to.
    /// - Returns: `nil` for instructions that are truncated or unknown.
    func run(_ reader: inout ByteReader, from row: Row, initial: Row?, target: UInt64) -> Row? {
        var row = row
        var location: UInt64 = 0
        var remembered: [Row] = []
        while !reader.isAtEnd {
            guard let code = reader.integer(UInt8.self) else { return nil }
            let operand = UInt64(code & 0x3F)
            var step: UInt64?
            switch code >> 6 {
            case 1: step = operand
            case 2:
                guard let factored = reader.unsigned() else { return nil }
                if operand == Self.returnAddress { row.returnsBelow = isBelow(factored) }
                continue
            case 3:
                if operand == Self.returnAddress { row.returnsBelow = initial?.returnsBelow ?? false }
                continue
            default: break
            }
            switch code {
            case 0x40...0xFF, 0x00: break
            case 0x02:  // advance_loc1, 2, 4
                guard let value = reader.integer(UInt8.self) else { return nil }
                step = UInt64(value)
            case 0x03:
                guard let value = reader.integer(UInt16.self) else { return nil }
                step = UInt64(value)
            case 0x04:
                guard let value = reader.integer(UInt32.self) else { return nil }
                step = UInt64(value)
            case 0x0A:
                guard remembered.count < Self.deepest else { return nil }
                remembered.append(row)
            case 0x0B:
                guard let last = remembered.popLast() else { return nil }
                row = last
            case 0x0C:  // def_cfa
                guard let register = reader.unsigned(), let offset = reader.unsigned() else { return nil }
                row.register = register
                row.offset = Int64(exactly: offset) ?? -1
            case 0x0D:
                guard let register = reader.unsigned() else { return nil }
                row.register = register
            case 0x0E:
                guard let offset = reader.unsigned() else { return nil }
                row.offset = Int64(exactly: offset) ?? -1
            case 0x12, 0x13:  // def_cfa_sf, def_cfa_offset_sf
                if code == 0x12 {
                    guard let register = reader.unsigned() else { return nil }
                    row.register = register
                }
                guard let factored = reader.signed() else { return nil }
                let (offset, overflow) = factored.multipliedReportingOverflow(by: dataAlignment)
                row.offset = overflow ? -1 : offset
            case 0x0F:  // def_cfa_expression
                guard let length = reader.unsigned(), reader.skip(length) else { return nil }
                row.register = nil
            case 0x05:  // offset_extended
                guard let register = reader.unsigned(), let factored = reader.unsigned() else { return nil }
                if register == Self.returnAddress { row.returnsBelow = isBelow(factored) }
            case 0x06:  // restore_extended
                guard let register = reader.unsigned() else { return nil }
                if register == Self.returnAddress { row.returnsBelow = initial?.returnsBelow ?? false }
            case 0x07, 0x08:  // undefined, same_value
                guard let register = reader.unsigned() else { return nil }
                if register == Self.returnAddress { row.returnsBelow = false }
            case 0x09, 0x14:  // register, val_offset
                guard let register = reader.unsigned(), reader.unsigned() != nil else { return nil }
                if register == Self.returnAddress { row.returnsBelow = false }
            case 0x11, 0x15:  // offset_extended_sf, val_offset_sf
                guard let register = reader.unsigned(), let factored = reader.signed() else { return nil }
                if register == Self.returnAddress {
                    row.returnsBelow = code == 0x11 && factored.multipliedReportingOverflow(by: dataAlignment) == (-8, false)
                }
            case 0x10, 0x16:  // expression, val_expression
                guard let register = reader.unsigned(), let length = reader.unsigned(), reader.skip(length) else {
                    return nil
                }
                if register == Self.returnAddress { row.returnsBelow = false }
            case 0x2E:  // GNU_args_size
                guard reader.unsigned() != nil else { return nil }
            default: return nil  // set_loc among them: no compiler makes it here
            }
            if let step {
                let (distance, tooLong) = step.multipliedReportingOverflow(by: codeAlignment)
                let (next, tooFar) = location.addingReportingOverflow(distance)
                if tooLong || tooFar || next > target { return row }
                location = next
            }
        }
        return row
    }

    private func isBelow(_ factored: UInt64) -> Bool {
        guard let factored = Int64(exactly: factored) else { return false }
        return factored.multipliedReportingOverflow(by: dataAlignment) == (-8, false)
    }
}
