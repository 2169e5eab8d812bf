// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
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
        static let jumpIfAnyBit: UInt16 = 0x45
        static let `return`: UInt16 = 0x06
    }

    /// What a filter can return (`linux/seccomp.h`).
    enum Outcome {
        static let allow: UInt32 = 0x7FFF_0000
        static let notify: UInt32 = 0x7FC0_0000
        /// The call fails with EPERM (1).
        static let notPermitted: UInt32 = 0x0005_0000 | 1
        /// The call fails with ENOSYS (38).
        static let noSuchCall: UInt32 = 0x0005_0000 | 38
    }

    /// Offsets in `struct seccomp_data`.
    private enum Field {
        static let number: UInt32 = 0
        static let architecture: UInt32 = 4
        /// The low halves of the first arguments.
        static let firstArgument: UInt32 = 16
        static let secondArgument: UInt32 = 24
        static let thirdArgument: UInt32 = 32
    }

    /// The requests of `ptrace` that attach to a process (`linux/ptrace.h`): PTRACE_ATTACH, PTRACE_SEIZE. All others need one of
    /// them before, or the other process's own wish.
    static let attachRequests: [UInt32] = [16, 0x4206]
    /// The bits of the flags of an open for writing (O_WRONLY, O_RDWR).
    static let writeFlags: UInt32 = 3

    /// Numbers with this bit are x32 calls: an interface of its own with the x86-64 audit value. Few kernels offer it. It is
    /// refused, since it would bypass the comparison of numbers.
    static let x32Bit: UInt32 = 0x4000_0000

    var instructions: [Instruction]

    /// Critical calls are notified, and `io_uring_setup`; x32 calls and calls of an unknown interface fail with ENOSYS, `prctl` that replaces the
    /// process's program (``SystemCallInterface/programReplacement``) with EPERM, all others pass.
    /// The kernel (5.11 and later) caches which numbers always pass, and doesn't run the program for them.
    static let criticalCalls = CallFilter(seesIntrusions: false)

    /// The same, and calls that reach into other processes are notified (``CriticalCall/Family/intrude``): of those that open
    /// files, the ones that open for writing; of `ptrace`, the requests that attach. `ioctl` that types into a terminal
    /// (``SystemCallInterface/typingRequests``) fails with EPERM.
    static let guardedCalls = CallFilter(seesIntrusions: true)

    private init(seesIntrusions: Bool) {
        var filter = FilterAssembly()
        filter.load(Field.architecture)
        filter.jump(Opcode.jumpIfEqual, SystemCallInterface.x86_64.auditArchitecture, to: .ownArchitecture)
        filter.jump(Opcode.jumpIfEqual, SystemCallInterface.i386.auditArchitecture, to: .otherArchitecture)
        filter.return(Outcome.noSuchCall)
        for interface in [SystemCallInterface.x86_64, .i386] {
            filter.place(interface == .x86_64 ? .ownArchitecture : .otherArchitecture)
            Self.judge(interface, seesIntrusions, &filter)
        }
        instructions = filter.instructions
    }

    /// Judges the calls of one interface.
    private static func judge(_ interface: SystemCallInterface, _ seesIntrusions: Bool, _ filter: inout FilterAssembly) {
        filter.load(Field.number)
        if interface == .x86_64 {
            filter.jump(Opcode.jumpIfAtLeast, x32Bit, to: .noSuchCall)
        } else {
            filter.jump(Opcode.jumpIfEqual, SystemCallInterface.socketcall, to: .subcall)
        }
        for number in interface.numbers.map(\.number) + [SystemCallInterface.ioUringSetup] {
            filter.jump(Opcode.jumpIfEqual, number, to: .notify)
        }
        if seesIntrusions {
            for (call, number) in interface.intrusions {
                filter.jump(Opcode.jumpIfEqual, number, to: place(ofIntrusion: call, interface.opening(number: number)))
            }
        }
        if seesIntrusions { filter.jump(Opcode.jumpIfEqual, interface.ioctl, to: .deviceControl) }
        filter.jump(Opcode.jumpIfEqual, interface.prctl, to: .processControl)
        filter.return(Outcome.allow)
        if seesIntrusions {
            filter.place(.deviceControl)
            filter.load(Field.secondArgument)
            for request in SystemCallInterface.typingRequests { filter.jump(Opcode.jumpIfEqual, request, to: .notPermitted) }
            filter.return(Outcome.allow)
        }
        filter.place(.processControl)
        filter.load(Field.firstArgument)
        filter.jump(Opcode.jumpIfEqual, SystemCallInterface.programReplacement.option, to: .memoryMap)
        filter.return(Outcome.allow)
        filter.place(.memoryMap)
        filter.load(Field.secondArgument)
        for request in SystemCallInterface.programReplacement.requests { filter.jump(Opcode.jumpIfEqual, request, to: .notPermitted) }
        filter.return(Outcome.allow)
        filter.place(.notPermitted)
        filter.return(Outcome.notPermitted)
        if seesIntrusions {
            filter.place(.traceRequest)
            filter.load(Field.firstArgument)
            for request in attachRequests { filter.jump(Opcode.jumpIfEqual, request, to: .notify) }
            filter.return(Outcome.allow)
            for (label, field) in [(FilterAssembly.Label.secondArgument, Field.secondArgument), (.thirdArgument, Field.thirdArgument)] {
                filter.place(label)
                filter.load(field)
                filter.jump(Opcode.jumpIfAnyBit, writeFlags, to: .notify)
                filter.return(Outcome.allow)
            }
        }
        if interface == .i386 {
            filter.place(.subcall)
            filter.load(Field.firstArgument)
            for subcall in SystemCallInterface.socketcalls { filter.jump(Opcode.jumpIfEqual, subcall.number, to: .notify) }
            filter.return(Outcome.allow)
        }
        filter.place(.notify)
        filter.return(Outcome.notify)
        if interface == .x86_64 {
            filter.place(.noSuchCall)
            filter.return(Outcome.noSuchCall)
        }
    }

    /// Where it is decided whether a call that may be an intrusion is notified.
    private static func place(ofIntrusion call: CriticalCall, _ opening: SystemCallInterface.Opening?) -> FilterAssembly.Label {
        switch opening {
        case .open: .secondArgument
        case .openat: .thirdArgument
        case .creat, .openat2: .notify
        case nil: call == .ptrace ? .traceRequest : .notify
        }
    }
}
