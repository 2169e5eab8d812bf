// SPDX-License-Identifier: Apache-2.0

/// The way of a process without unbacked executable memory through the program that sees every call: no mark is found for
/// it, and that is all.
public struct UnmarkedPath {
    /// Of a critical call (sendto), and of a call that is none (getppid).
    public var critical: InstructionTrace
    public var other: InstructionTrace

    /// - Parameters:
    ///   - program: the instructions of the program at the tracepoint, as the kernel runs them.
    ///   - classes: what each number of a system call means to it, as in the program's own constants.
    public init(of program: [UInt64], classes: [UInt8]) throws(InstructionTrace.Failure) {
        critical = try Self.trace(program, classes, number: 44)
        other = try Self.trace(program, classes, number: 110)
    }

    /// The kernel's structures as far as this way reads them: the tracepoint's two arguments, a task, and the
    /// table of classes, which is the only constant.
    private static func trace(_ program: [UInt64], _ classes: [UInt8], number: UInt64) throws(InstructionTrace.Failure) -> InstructionTrace
    {
        let context: UInt64 = 0x1000_0000
        let registers: UInt64 = 0x2000_0000
        var isClassKnown = false
        return try InstructionTrace(of: program, context: context) { address, size in
            if address == context { return registers }
            if address == context + 8 { return number }
            // The first byte that is read: the table's, indexed by the call's number. Its place isn't told to who asks for the
            // program. The second is the filter's of marks.
            if size == 1, !isClassKnown {
                isClassKnown = true
                return UInt64(classes[Int(number)])
            }
            return KernelMemory.unmarked(size)
        }
    }
}

/// What the kernel's memory holds for an unmarked process: addresses where 64 bits are read, no flag where 32 are (a
/// 32-bit call; marks that found no place), nor where 8 are (no mark in the filter).
public enum KernelMemory {
    public static func unmarked(_ size: Int) -> UInt64 { size == 8 ? 0x3000_0000 : 0 }
}
