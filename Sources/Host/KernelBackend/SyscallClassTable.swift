// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import ProcessInspection

/// What the numbers of system calls mean to the kernel program, for each interface (`asm/unistd_64.h`,
/// `asm/unistd_32.h`), and which critical call one is.
enum SyscallClassTable {
    /// Calls that send through a descriptor, where it is a socket's.
    private static let writes: [SystemCallInterface: [(CriticalCall, UInt32)]] = [
        .x86_64: [(.write, 1), (.writev, 20), (.writev, 328), (.sendfile, 40), (.splice, 275)],
        .i386: [(.write, 4), (.writev, 146), (.writev, 379), (.sendfile, 187), (.sendfile, 239), (.splice, 313)],
    ]
    /// Numbers that both interfaces share: `io_uring_setup`, which hands requests over where the kernel is to poll, and
    /// `io_uring_enter`.
    private static let rings: Set<UInt32> = [425, 426]
    /// `io_submit`: a write, where a request's descriptor is a socket.
    private static func submit(_ interface: SystemCallInterface) -> UInt32 { interface == .x86_64 ? 209 : 248 }

    /// The calls that can make unbacked executable memory, or write an image's page: a process's own, or another's.
    private static let marking: [SystemCallInterface: [(epitope_class, UInt32)]] = [
        .x86_64: [
            (EPITOPE_CLASS_MAP, 9), (EPITOPE_CLASS_PROTECT, 10), (EPITOPE_CLASS_PROTECT, 329), (EPITOPE_CLASS_ATTACH, 30),
            (EPITOPE_CLASS_PERSONALITY, 135), (EPITOPE_CLASS_TRACE, 101), (EPITOPE_CLASS_WRITE_OTHER, 311),
            (EPITOPE_CLASS_SEEK, 8), (EPITOPE_CLASS_WRITE_AT, 18), (EPITOPE_CLASS_WRITE_AT, 296), (EPITOPE_CLASS_WRITE_AT, 328),
        ],
        .i386: [
            (EPITOPE_CLASS_MAP, 90), (EPITOPE_CLASS_MAP, 192), (EPITOPE_CLASS_PROTECT, 125), (EPITOPE_CLASS_PROTECT, 380),
            (EPITOPE_CLASS_ATTACH, 397), (EPITOPE_CLASS_IPC, 117), (EPITOPE_CLASS_PERSONALITY, 136), (EPITOPE_CLASS_TRACE, 26),
            (EPITOPE_CLASS_WRITE_OTHER, 348), (EPITOPE_CLASS_SEEK, 19), (EPITOPE_CLASS_SEEK, 140), (EPITOPE_CLASS_WRITE_AT, 181),
            (EPITOPE_CLASS_WRITE_AT, 334), (EPITOPE_CLASS_WRITE_AT, 379),
        ],
    ]

    /// A class for every number.
    static func table(_ interface: SystemCallInterface) -> [UInt8] {
        var table = [UInt8](repeating: UInt8(EPITOPE_CLASS_NONE.rawValue), count: Int(EPITOPE_SYSCALLS))
        func set(_ number: UInt32, _ value: epitope_class) { table[Int(number)] = UInt8(value.rawValue) }
        for (call, number) in interface.numbers {
            switch call.family {
            case .exec: set(number, EPITOPE_CLASS_EXEC)
            case .connect: set(number, EPITOPE_CLASS_CONNECT)
            case .send: set(number, EPITOPE_CLASS_SEND)
            case .serve: set(number, EPITOPE_CLASS_SERVE)
            }
        }
        for (_, number) in writes[interface] ?? [] { set(number, EPITOPE_CLASS_WRITE) }
        set(submit(interface), EPITOPE_CLASS_SUBMIT)
        for (value, number) in marking[interface] ?? [] { set(number, value) }
        if interface == .i386 { set(SystemCallInterface.socketcall, EPITOPE_CLASS_SOCKETCALL) }
        for number in rings { set(number, EPITOPE_CLASS_RING) }
        return table
    }

    /// The critical call of an event; `nil` for a number that is none, such as a hook's that came by another way.
    static func criticalCall(_ interface: SystemCallInterface, number: UInt32, subcall: UInt32) -> CriticalCall? {
        if interface == .i386, number == SystemCallInterface.socketcall {
            return SystemCallInterface.socketcalls.first { $0.number == subcall }?.call
        }
        if rings.contains(number) { return .ringEnter }
        if number == submit(interface) { return .write }
        return interface.criticalCall(number: number) ?? writes[interface]?.first { $0.1 == number }?.0
    }
}
