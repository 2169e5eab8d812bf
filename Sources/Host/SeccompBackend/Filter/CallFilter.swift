// SPDX-License-Identifier: Apache-2.0

import ProcessInspection

/// The seccomp filter that selects the critical calls, as a classic BPF program. It is a value, so that a test can run it.
struct CallFilter: Equatable, Sendable {
    /// One instruction (`struct sock_filter`).
    struct Instruction: Equatable, Sendable {
        var code: UInt16
        var ifTrue: UInt8 = 0
        var ifFalse: UInt8 = 0
        var operand: UInt32
    }

    /// The opcodes used (`linux/bpf_common.h`).
    enum Opcode {
        /// A = word of the call's data at the operand.
        static let load: UInt16 = 0x20
        static let jumpIfEqual: UInt16 = 0x15
        static let jumpIfAtLeast: UInt16 = 0x35
        static let `return`: UInt16 = 0x06
    }

    /// What a filter can return (`linux/seccomp.h`).
    enum Outcome {
        static let allow: UInt32 = 0x7FFF_0000
        static let notify: UInt32 = 0x7FC0_0000
        /// The call fails with ENOSYS (38).
        static let noSuchCall: UInt32 = 0x0005_0000 | 38
    }

    /// Offsets in `struct seccomp_data`.
    private enum Field {
        static let number: UInt32 = 0
        static let architecture: UInt32 = 4
        /// The low half of the first argument.
        static let firstArgument: UInt32 = 16
    }

    /// Numbers with this bit are x32 calls: an interface of its own with the x86-64 audit value. Few kernels offer it. It is
    /// refused, since it would bypass the comparison of numbers.
    static let x32Bit: UInt32 = 0x4000_0000

    var instructions: [Instruction]

    /// Critical calls are notified, x32 calls and calls of an unknown interface fail with ENOSYS, all others pass.
    /// The kernel (5.11 and later) caches which numbers always pass, and doesn't run the program for them.
    static let criticalCalls: CallFilter = {
        let calls64 = numbers(SystemCallInterface.x86_64.numbers.map(\.number))
        let calls32 = numbers(SystemCallInterface.i386.numbers.map(\.number))
        let subcalls = numbers(SystemCallInterface.socketcalls.map(\.number))

        // x86-64: number; x32?; each number; allow; notify; ENOSYS
        var x86_64: [Instruction] = [
            Instruction(code: Opcode.load, operand: Field.number),
            Instruction(
                code: Opcode.jumpIfAtLeast, ifTrue: UInt8(calls64.count + 2), ifFalse: 0, operand: x32Bit),
        ]
        x86_64 += calls64 + [result(Outcome.allow), result(Outcome.notify), result(Outcome.noSuchCall)]

        // i386: number; socketcall?; each number; allow; notify; then the subcall, each of them; allow; notify
        var i386: [Instruction] = [
            Instruction(code: Opcode.load, operand: Field.number),
            Instruction(
                code: Opcode.jumpIfEqual, ifTrue: UInt8(calls32.count + 2), ifFalse: 0,
                operand: SystemCallInterface.socketcall),
        ]
        i386 += calls32 + [result(Outcome.allow), result(Outcome.notify)]
        i386 += [Instruction(code: Opcode.load, operand: Field.firstArgument)]
        i386 += subcalls + [result(Outcome.allow), result(Outcome.notify)]

        let head = [
            Instruction(code: Opcode.load, operand: Field.architecture),
            Instruction(
                code: Opcode.jumpIfEqual, ifTrue: 2, ifFalse: 0,
                operand: SystemCallInterface.x86_64.auditArchitecture),
            Instruction(
                code: Opcode.jumpIfEqual, ifTrue: UInt8(x86_64.count + 1), ifFalse: 0,
                operand: SystemCallInterface.i386.auditArchitecture),
            result(Outcome.noSuchCall),
        ]
        return CallFilter(instructions: head + x86_64 + i386)
    }()

    private static func result(_ outcome: UInt32) -> Instruction {
        Instruction(code: Opcode.return, operand: outcome)
    }

    /// Compares with each number; a match jumps to the second instruction after the list, the first is for no match.
    private static func numbers(_ numbers: [UInt32]) -> [Instruction] {
        numbers.enumerated().map { index, number in
            Instruction(
                code: Opcode.jumpIfEqual, ifTrue: UInt8(numbers.count - index), ifFalse: 0, operand: number)
        }
    }
}
