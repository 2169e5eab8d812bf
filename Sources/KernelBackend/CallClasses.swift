import CKernelProgram
import EpitopeModel
import SystemCalls

/// What the numbers of system calls mean to the kernel program, for each interface (`asm/unistd_64.h`,
/// `asm/unistd_32.h`), and which critical call one is.
enum CallClasses {
    /// Calls that send through a descriptor, where it is a socket's.
    private static let writes: [SystemCallInterface: [(CriticalCall, UInt32)]] = [
        .x86_64: [(.write, 1), (.writev, 20), (.writev, 328), (.sendfile, 40), (.splice, 275)],
        .i386: [(.write, 4), (.writev, 146), (.writev, 379), (.sendfile, 187), (.sendfile, 239), (.splice, 313)],
    ]
    private static let ring: UInt32 = 426

    /// The calls that can make unbacked executable memory, or write an image's page.
    private static let marking: [SystemCallInterface: [(epitope_class, UInt32)]] = [
        .x86_64: [
            (EPITOPE_CLASS_MAP, 9), (EPITOPE_CLASS_PROTECT, 10), (EPITOPE_CLASS_PROTECT, 329), (EPITOPE_CLASS_ATTACH, 30),
            (EPITOPE_CLASS_PERSONALITY, 135), (EPITOPE_CLASS_OPEN, 2), (EPITOPE_CLASS_OPEN, 257),
        ],
        .i386: [
            (EPITOPE_CLASS_MAP, 90), (EPITOPE_CLASS_MAP, 192), (EPITOPE_CLASS_PROTECT, 125), (EPITOPE_CLASS_PROTECT, 380),
            (EPITOPE_CLASS_ATTACH, 397), (EPITOPE_CLASS_PERSONALITY, 136), (EPITOPE_CLASS_OPEN, 5), (EPITOPE_CLASS_OPEN, 295),
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
        for (value, number) in marking[interface] ?? [] { set(number, value) }
        if interface == .i386 { set(SystemCallInterface.socketcall, EPITOPE_CLASS_SOCKETCALL) }
        set(ring, EPITOPE_CLASS_RING)
        return table
    }

    /// The critical call of an event; `nil` for a number that is none, such as a hook's that came by another way.
    static func criticalCall(_ interface: SystemCallInterface, number: UInt32, subcall: UInt32) -> CriticalCall? {
        if interface == .i386, number == SystemCallInterface.socketcall {
            return SystemCallInterface.socketcalls.first { $0.number == subcall }?.call
        }
        if number == ring { return .ringEnter }
        return interface.criticalCall(number: number) ?? writes[interface]?.first { $0.1 == number }?.0
    }
}
