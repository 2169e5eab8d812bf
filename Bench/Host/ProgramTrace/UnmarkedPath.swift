// SPDX-License-Identifier: Apache-2.0

/// The path of a process without unbacked executable memory through the program that sees every call: it only looks for a mark.
public struct UnmarkedPath {
    /// Of a critical call (sendto), and of another call (getppid).
    public var critical: InstructionTrace
    public var other: InstructionTrace

    /// - Parameters:
    ///   - program: the instructions of the program at the tracepoint, as the kernel runs them.
    ///   - classes: the class of each system call number, as in the program's constants.
    public init(of program: [UInt64], classes: [UInt8]) throws(InstructionTrace.Failure) {
        critical = try Self.trace(program, classes, number: Self.sendto)
        other = try Self.trace(program, classes, number: Self.getppid)
    }

    private static let sendto: UInt64 = 44
    private static let getppid: UInt64 = 110

    /// Traces the program with the kernel's structures that this path reads: the tracepoint's two arguments, a task, and the table
    /// of classes, the only constant.
    private static func trace(_ program: [UInt64], _ classes: [UInt8], number: UInt64) throws(InstructionTrace.Failure) -> InstructionTrace
    {
        let context: UInt64 = 0x1000_0000
        let registers: UInt64 = 0x2000_0000
        var isClassKnown = false
        return try InstructionTrace(of: program, context: context) { address, size in
            if address == context { return registers }
            if address == context + 8 { return number }
            // The first byte that is read is the table's, indexed by the call's number: its address is unknown here. The second is the mark
            // filter's.
            if size == 1, !isClassKnown {
                isClassKnown = true
                return UInt64(classes[Int(number)])
            }
            return KernelMemory.unmarked(size)
        }
    }
}

/// The kernel's memory for an unmarked process, by the size of a read: addresses for 64 bits; no flags for 32 (a 32-bit call, a
/// full filter); no mark in the filter for 8.
public enum KernelMemory {
    public static func unmarked(_ size: Int) -> UInt64 { size == 8 ? 0x3000_0000 : 0 }
}
