// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A system call interface: the numbers of its calls and the width of their arguments. It is a property of the call,
/// not of the program: 64-bit code can make 32-bit calls with `int 0x80`.
///
/// Adding an architecture means adding a case, its numbers, and its call instructions (``CallInstruction``).
public enum SystemCallInterface: CaseIterable, Sendable {
    /// The `syscall` instruction.
    case x86_64
    /// `int 0x80`, `sysenter` and the like.
    case i386

    /// AUDIT_ARCH_* of `linux/audit.h`.
    public var auditArchitecture: UInt32 {
        switch self {
        case .x86_64: 0xC000_003E
        case .i386: 0x4000_0003
        }
    }

    public init?(auditArchitecture: UInt32) {
        guard let found = Self.allCases.first(where: { $0.auditArchitecture == auditArchitecture }) else { return nil }
        self = found
    }

    /// The width of a pointer in the call's structures, in bytes.
    public var pointerSize: Int { self == .x86_64 ? 8 : 4 }

    /// The numbers of the critical calls (`asm/unistd_64.h`, `asm/unistd_32.h`).
    public var numbers: [(call: CriticalCall, number: UInt32)] {
        switch self {
        case .x86_64:
            [
                (.execve, 59), (.execveat, 322), (.connect, 42), (.sendto, 44), (.sendmsg, 46), (.sendmmsg, 307),
                (.bind, 49), (.listen, 50), (.accept, 43), (.accept4, 288),
            ]
        case .i386:
            [
                (.execve, 11), (.execveat, 358), (.connect, 362), (.sendto, 369), (.sendmsg, 370), (.sendmmsg, 345),
                (.bind, 361), (.listen, 363), (.accept4, 364),
            ]
        }
    }

    /// 32-bit programs may make their socket calls through one number, which takes the call as its first argument
    /// and a pointer to the real arguments (32-bit words) as its second.
    public static let socketcall: UInt32 = 102

    /// The critical calls of `socketcall` (`linux/net.h`). `send` is `sendto` without an address.
    public static let socketcalls: [(call: CriticalCall, number: UInt32, argumentCount: Int)] = [
        (.bind, 2, 3), (.connect, 3, 3), (.listen, 4, 2), (.accept, 5, 3), (.sendto, 9, 4), (.sendto, 11, 6),
        (.sendmsg, 16, 3), (.accept4, 18, 4), (.sendmmsg, 20, 4),
    ]

    /// The critical call of a number; `nil` for any other.
    public func criticalCall(number: UInt32) -> CriticalCall? {
        numbers.first { $0.number == number }?.call
    }

    /// The numbers of the calls by which a process reaches into another (``CriticalCall/Family/intrude``). Those that open files
    /// are many, so a filter asks for the ones that open for writing only.
    public var intrusions: [(call: CriticalCall, number: UInt32)] {
        switch self {
        case .x86_64:
            [
                (.ptrace, 101), (.processVMWritev, 311), (.pidfdGetfd, 438), (.openMemory, 2), (.openMemory, 85), (.openMemory, 257),
                (.openMemory, 437),
            ]
        case .i386:
            [
                (.ptrace, 26), (.processVMWritev, 348), (.pidfdGetfd, 438), (.openMemory, 5), (.openMemory, 8), (.openMemory, 295),
                (.openMemory, 437),
            ]
        }
    }

    /// The number of `io_uring_setup`, the same in both interfaces. What is put into a ring is sent by calls that are too many to be
    /// notified, or by none.
    public static let ioUringSetup: UInt32 = 425

    /// The call of a number that filters notify; `nil` for any other. Making a ring counts as the call that submits to it.
    public func notifiedCall(number: UInt32) -> CriticalCall? {
        criticalCall(number: number) ?? intrusion(number: number) ?? (number == Self.ioUringSetup ? .ioUringEnter : nil)
    }

    /// The number of `prctl`.
    public var prctl: UInt32 { self == .x86_64 ? 157 : 172 }

    /// The requests of `prctl` by which a process puts another file in the place of the one that it was executed from: its first
    /// argument, PR_SET_MM, and the second, PR_SET_MM_EXE_FILE or PR_SET_MM_MAP (`linux/prctl.h`). An unprivileged process may,
    /// in a user namespace of its own. Exclusions of a program, and packed programs, are told by that file.
    public static let programReplacement: (option: UInt32, requests: [UInt32]) = (35, [13, 14])

    /// The number of `ioctl`.
    public var ioctl: UInt32 { self == .x86_64 ? 16 : 54 }

    /// The requests of `ioctl` that put words into a terminal as if somebody typed them: TIOCSTI and TIOCLINUX
    /// (`asm-generic/ioctls.h`). The shell that started the command would execute them, outside of it.
    public static let typingRequests: [UInt32] = [0x5412, 0x541C]

    /// How a call opens a file.
    public enum Opening: Hashable, Sendable {
        /// `open`: path, flags.
        case open
        /// `creat`: path; always for writing.
        case creat
        /// `openat`: folder, path, flags.
        case openat
        /// `openat2`: folder, path, a structure that begins with the flags.
        case openat2
    }

    /// `nil` for a number that opens nothing.
    public func opening(number: UInt32) -> Opening? {
        switch (self, number) {
        case (.x86_64, 2), (.i386, 5): .open
        case (.x86_64, 85), (.i386, 8): .creat
        case (.x86_64, 257), (.i386, 295): .openat
        case (_, 437): .openat2
        default: nil
        }
    }

    /// The intrusion of a number; `nil` for any other.
    public func intrusion(number: UInt32) -> CriticalCall? {
        intrusions.first { $0.number == number }?.call
    }
}
