// SPDX-License-Identifier: Apache-2.0

/// Runs call frame instructions as far as they tell where a frame of x86-64 begins: the canonical frame address (CFA) as a
/// distance from the stack pointer, with the return address right below. Any other rule gives no answer.
struct FrameProgram {
    /// Register numbers of the x86-64 psABI.
    static let framePointer: UInt64 = 6
    static let stackPointer: UInt64 = 7
    static let returnAddress: UInt64 = 16
    /// Where the return address must lie, as an offset from the CFA.
    private static let returnAddressOffset: Int64 = -8
    /// How many states `DW_CFA_remember_state` may stack within one function: compilers nest them two deep.
    static let maxRememberedStates = 16
    /// The largest frame that is believed, in bytes: a thread's whole default stack.
    static let maxFrameSize: Int64 = 8 << 20

    let codeAlignment: UInt64
    let dataAlignment: Int64

    struct Row: Equatable {
        /// `nil`: the CFA is given by an expression.
        var register: UInt64?
        var offset: Int64 = 0
        /// Whether the return address lies in the eight bytes below the CFA.
        var returnsBelow = false
        /// Where the caller's frame pointer is.
        var framePointer = FrameEnd.FramePointer.unchanged

        /// The distance from the stack pointer to the CFA; `nil` if the CFA isn't defined that way.
        var size: Int? {
            guard register == FrameProgram.stackPointer, returnsBelow, offset >= 8, offset <= FrameProgram.maxFrameSize,
                offset % 8 == 0
            else { return nil }
            return Int(offset)
        }
    }

    /// Runs instructions until their location passes `target` (in bytes from the function's start), or to their end.
    /// Each instruction takes at least a byte, so the work is bounded by the bytes.
    ///
    /// - Parameters:
    ///   - row: the row to start from.
    ///   - initial: the row at the end of the common part, which `DW_CFA_restore` restores.
    /// - Returns: `nil` for instructions that are truncated or unknown.
    func run(_ reader: inout ByteReader, from row: Row, initial: Row?, target: UInt64) -> Row? {
        var row = row
        var location: UInt64 = 0
        var remembered: [Row] = []
        while !reader.isAtEnd {
            guard let instruction = CallFrameInstruction(&reader) else { return nil }
            switch instruction {
            case .advanceLocation(let steps):
                guard let next = advance(location, by: steps), next <= target else { return row }
                location = next
            case .rememberState:
                guard remembered.count < Self.maxRememberedStates else { return nil }
                remembered.append(row)
            case .restoreState:
                guard let last = remembered.popLast() else { return nil }
                row = last
            default: apply(instruction, to: &row, initial: initial)
            }
        }
        return row
    }

    /// `nil` where the sum doesn't fit in 64 bits.
    private func advance(_ location: UInt64, by steps: UInt64) -> UInt64? {
        let (distance, isTooLong) = steps.multipliedReportingOverflow(by: codeAlignment)
        let (next, isTooFar) = location.addingReportingOverflow(distance)
        return isTooLong || isTooFar ? nil : next
    }

    /// Applies an instruction that changes the row alone.
    private func apply(_ instruction: CallFrameInstruction, to row: inout Row, initial: Row?) {
        switch instruction {
        case .defineCFA(let register, let offset):
            row.register = register
            row.offset = Self.distance(offset)
        case .defineCFARegister(let register): row.register = register
        case .defineCFAOffset(let offset): row.offset = Self.distance(offset)
        case .defineCFAFactored(let register, let offset):
            row.register = register
            row.offset = scaled(offset) ?? Self.invalidOffset
        case .defineCFAOffsetFactored(let offset): row.offset = scaled(offset) ?? Self.invalidOffset
        case .defineCFAExpression: row.register = nil
        case .offset(Self.returnAddress, let factored): row.returnsBelow = scaled(factored) == Self.returnAddressOffset
        case .restore(Self.returnAddress): row.returnsBelow = initial?.returnsBelow ?? false
        case .otherRule(Self.returnAddress): row.returnsBelow = false
        case .offset(Self.framePointer, let factored):
            row.framePointer = scaled(factored).flatMap { Int(exactly: -$0) }.map { .saved(below: $0) } ?? .lost
        case .restore(Self.framePointer): row.framePointer = initial?.framePointer ?? .unchanged
        case .otherRule(Self.framePointer): row.framePointer = .lost
        // Rules for other registers don't matter here.
        case .offset, .restore, .otherRule, .nop, .advanceLocation, .rememberState, .restoreState: break
        }
    }

    /// An offset that ``Row/size`` refuses.
    private static let invalidOffset: Int64 = -1

    private static func distance(_ offset: UInt64) -> Int64 { Int64(exactly: offset) ?? invalidOffset }

    private func scaled(_ factored: Int64) -> Int64? {
        let (offset, overflow) = factored.multipliedReportingOverflow(by: dataAlignment)
        return overflow ? nil : offset
    }
}
