// SPDX-License-Identifier: Apache-2.0

/// An instruction in a piece of code, or a run of bytes that can't be decoded.
public struct Instruction: Hashable, Sendable {
    /// The kinds of instruction that matter to an analysis of calls.
    public enum Kind: String, Hashable, Sendable {
        /// Enters the kernel: `syscall`, `sysenter`, `int`, `svc`.
        case systemCall
        /// Calls a function.
        case functionCall
        case other
        /// Bytes that can't be decoded.
        case data
    }

    /// Offsets in the code.
    public var range: Range<Int>
    public var kind: Kind
    /// In assembly language; empty if it was not requested.
    public var text: String
    /// The parts that vary with the load address or the victim.
    public var variable: [VariableField]
    /// Its immediates and displacements, as offsets in the code.
    public var operands: [Range<Int>] = []
    public var effect = Effect.ordinary
    /// What an instruction next to it may undo.
    var undoing: Undoing?
    /// How much more likely its bytes are code than data, in bits; below 0 if less.
    public var codeBits: Int
    /// The offset in the code that a relative branch or call leads to, which may be outside of it; `nil` for other instructions.
    public var branchTarget: Int?

    /// What an instruction does, as far as it matters to those who look for what variants of a code have in common.
    public enum Effect: Hashable, Sendable {
        /// Nothing but time and flags, alone or with the instruction next to it: filler between others.
        case none
        /// It sets a register to zero, for which there are many ways.
        case zeroing
        case ordinary
    }

    /// What an instruction does that its neighbour may undo; registers by their numbers in Capstone.
    enum Undoing: Hashable, Sendable {
        case push(UInt32)
        case pop(UInt32)
        case exchange(UInt32, UInt32)

        func undoes(_ before: Undoing) -> Bool {
            switch (before, self) {
            case (.push(let one), .pop(let other)): one == other
            case (.exchange, .exchange): before == self
            default: false
            }
        }
    }

    /// Whether execution returns to the address after it.
    public var isCall: Bool { kind == .systemCall || kind == .functionCall }
}

/// The bytes of an instruction that are an address, or a distance to one.
public struct VariableField: Hashable, Sendable {
    /// The kinds of operand with an address.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The distance of a branch or call to a target outside of the code.
        case branchDistance = "distance of a branch out of the code"
        /// An absolute address in memory, without a base register.
        case absoluteAddress = "absolute address"
        /// The distance from the instruction to data outside of the code.
        case relativeAddress = "distance to data outside of the code"
        /// A constant that is an address in or near the code, or in the 64-bit user space of a process.
        case pointer = "constant that is an address"
    }

    /// Offsets in the code.
    public var range: Range<Int>
    public var kind: Kind
}
