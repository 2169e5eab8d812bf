// SPDX-License-Identifier: Apache-2.0

/// An instruction in a piece of code, or a run of bytes that is none.
public struct Instruction: Hashable, Sendable {
    /// What an instruction is to an analysis of calls.
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
    /// In the assembler's words; empty when it was not asked for.
    public var text: String
    /// The parts that another load address, or another victim, would change.
    public var variable: [VariableField]

    /// Whether execution comes back to the address behind it.
    public var isCall: Bool { kind == .systemCall || kind == .functionCall }
}

/// Bytes of an instruction that hold an address, or a distance to one.
public struct VariableField: Hashable, Sendable {
    /// The kinds of operand that hold one.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The distance of a branch or call to a target outside of the code.
        case branchDistance = "distance of a branch out of the code"
        /// An address in memory as the operand holds it, without a base register.
        case absoluteAddress = "absolute address"
        /// The distance from the instruction to data outside of the code.
        case relativeAddress = "distance to data outside of the code"
        /// A constant that is an address in or near the code, or one of a process's 64-bit user space.
        case pointer = "constant that is an address"
    }

    /// Offsets in the code.
    public var range: Range<Int>
    public var kind: Kind
}
