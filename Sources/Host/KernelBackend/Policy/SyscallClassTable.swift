// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import ProcessInspection

/// What each system call number means to the kernel program, by interface, and which critical call it is.
enum SyscallClassTable {
    /// Calls that send if their descriptor is a socket.
    private static let writes: [SystemCallInterface: [(call: CriticalCall, number: Int)]] = [
        .x86_64: [
            (.write, NR64_WRITE), (.writev, NR64_WRITEV), (.writev, NR64_PWRITEV2), (.sendfile, NR64_SENDFILE), (.splice, NR64_SPLICE),
        ],
        .i386: [
            (.write, NR32_WRITE), (.writev, NR32_WRITEV), (.writev, NR32_PWRITEV2), (.sendfile, NR32_SENDFILE),
            (.sendfile, NR32_SENDFILE64), (.splice, NR32_SPLICE),
        ],
    ]
    /// Submission of io_uring requests: `io_uring_enter`, and `io_uring_setup` for rings that the kernel polls.
    private static let ioUring: Set<Int> = [NR_IO_URING_SETUP, NR_IO_URING_ENTER]
    /// `io_submit` is a write if a request's descriptor is a socket.
    private static func ioSubmit(_ interface: SystemCallInterface) -> Int {
        interface == .x86_64 ? NR64_IO_SUBMIT : NR32_IO_SUBMIT
    }

    /// Calls that can make unbacked executable memory, or write an image's page, in the caller's address space or another's; and the
    /// one that can put another file in the place of the process's program. Of `pwritev2`,
    /// this class takes precedence over the write.
    private static let marking: [SystemCallInterface: [(class: epitope_syscall_class, numbers: [Int])]] = [
        .x86_64: [
            (EPITOPE_CLASS_MAP, [NR64_MMAP]), (EPITOPE_CLASS_PROTECT, [NR64_MPROTECT, NR64_PKEY_MPROTECT]),
            (EPITOPE_CLASS_ATTACH, [NR64_SHMAT]), (EPITOPE_CLASS_PERSONALITY, [NR64_PERSONALITY]), (EPITOPE_CLASS_TRACE, [NR64_PTRACE]),
            (EPITOPE_CLASS_CONTROL, [NR64_PRCTL]),
            (EPITOPE_CLASS_WRITE_OTHER, [NR64_PROCESS_VM_WRITEV]), (EPITOPE_CLASS_SEEK, [NR64_LSEEK]),
            (EPITOPE_CLASS_WRITE_AT, [NR64_PWRITE64, NR64_PWRITEV, NR64_PWRITEV2]),
        ],
        .i386: [
            (EPITOPE_CLASS_MAP, [NR32_MMAP, NR32_MMAP2]), (EPITOPE_CLASS_PROTECT, [NR32_MPROTECT, NR32_PKEY_MPROTECT]),
            (EPITOPE_CLASS_ATTACH, [NR32_SHMAT]), (EPITOPE_CLASS_IPC, [NR32_IPC]), (EPITOPE_CLASS_PERSONALITY, [NR32_PERSONALITY]),
            (EPITOPE_CLASS_TRACE, [NR32_PTRACE]), (EPITOPE_CLASS_WRITE_OTHER, [NR32_PROCESS_VM_WRITEV]),
            (EPITOPE_CLASS_SEEK, [NR32_LSEEK, NR32_LLSEEK]), (EPITOPE_CLASS_CONTROL, [NR32_PRCTL]),
            (EPITOPE_CLASS_WRITE_AT, [NR32_PWRITE64, NR32_PWRITEV, NR32_PWRITEV2]),
        ],
    ]

    private static func criticalClass(_ family: CriticalCall.Family) -> epitope_syscall_class {
        switch family {
        case .exec: EPITOPE_CLASS_EXEC
        case .connect: EPITOPE_CLASS_CONNECT
        case .send: EPITOPE_CLASS_SEND
        case .serve: EPITOPE_CLASS_SERVE
        // What they write is watched from then on (``marking``); none is among ``SystemCallInterface/numbers``.
        case .intrude: EPITOPE_CLASS_NONE
        }
    }

    /// The class of every number, `EPITOPE_SYSCALLS` of them.
    static func table(_ interface: SystemCallInterface) -> [UInt8] {
        var table = [UInt8](repeating: UInt8(EPITOPE_CLASS_NONE.rawValue), count: Int(EPITOPE_SYSCALLS))
        func set(_ number: Int, _ value: epitope_syscall_class) { table[number] = UInt8(value.rawValue) }
        for (call, number) in interface.numbers { set(Int(number), criticalClass(call.family)) }
        for (_, number) in writes[interface] ?? [] { set(number, EPITOPE_CLASS_WRITE) }
        set(ioSubmit(interface), EPITOPE_CLASS_IO_SUBMIT)
        for (value, numbers) in marking[interface] ?? [] {
            for number in numbers { set(number, value) }
        }
        if interface == .i386 { set(Int(SystemCallInterface.socketcall), EPITOPE_CLASS_SOCKETCALL) }
        for number in ioUring { set(number, EPITOPE_CLASS_IO_URING) }
        return table
    }

    /// The critical call of an event; `nil` for a number that isn't critical, as when a hook was reached through another call.
    static func criticalCall(_ interface: SystemCallInterface, number: UInt32, subcall: UInt32) -> CriticalCall? {
        if interface == .i386, number == SystemCallInterface.socketcall {
            return SystemCallInterface.socketcalls.first { $0.number == subcall }?.call
        }
        if ioUring.contains(Int(number)) { return .ioUringEnter }
        if number == ioSubmit(interface) { return .write }
        return interface.criticalCall(number: number) ?? writes[interface]?.first { $0.number == number }?.call
    }
}
