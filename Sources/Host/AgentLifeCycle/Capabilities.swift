// SPDX-License-Identifier: Apache-2.0

/// Linux capabilities (capabilities(7), linux/capability.h).
public struct Capabilities: OptionSet, Hashable, Sendable, CustomStringConvertible {
    /// A bit per capability, by its number.
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    private init(number: Int) {
        rawValue = 1 << number
    }

    /// CAP_DAC_READ_SEARCH.
    public static let readAnyFile = Capabilities(number: 2)
    /// CAP_KILL.
    public static let signal = Capabilities(number: 5)
    /// CAP_SETPCAP.
    public static let setCapabilities = Capabilities(number: 8)
    /// CAP_SYS_PTRACE.
    public static let traceProcesses = Capabilities(number: 19)
    /// CAP_SYSLOG.
    public static let seeKernelAddresses = Capabilities(number: 34)
    /// CAP_PERFMON.
    public static let measurePerformance = Capabilities(number: 38)
    /// CAP_BPF.
    public static let bpf = Capabilities(number: 39)
    /// CAP_CHECKPOINT_RESTORE.
    public static let followMappedFiles = Capabilities(number: 40)

    private static let names: [(Capabilities, String)] = [
        (.readAnyFile, "CAP_DAC_READ_SEARCH"), (.signal, "CAP_KILL"), (.setCapabilities, "CAP_SETPCAP"),
        (.traceProcesses, "CAP_SYS_PTRACE"), (.seeKernelAddresses, "CAP_SYSLOG"), (.measurePerformance, "CAP_PERFMON"),
        (.bpf, "CAP_BPF"), (.followMappedFiles, "CAP_CHECKPOINT_RESTORE"),
    ]

    public var description: String {
        let named = Self.names.filter { contains($0.0) }.map(\.1)
        let others = subtracting(Self.names.reduce(into: []) { $0.formUnion($1.0) })
        return (named + (others.isEmpty ? [] : ["0x" + String(others.rawValue, radix: 16)])).joined(separator: " ")
    }

    /// What the agent needs once the program is loaded:
    /// - reads other users' processes in `/proc`, and copies their sockets' descriptors (CAP_SYS_PTRACE);
    /// - reads executables and the files in a process's own root (CAP_DAC_READ_SEARCH);
    /// - kills, stops and continues processes (CAP_KILL);
    /// - to overwrite code in shared memory, opens the file behind it (CAP_CHECKPOINT_RESTORE: `/proc/PID/map_files`).
    ///
    /// From Linux 6.0 on, open map descriptors need no capability; before, they need CAP_BPF where `kernel.unprivileged_bpf_disabled` is
    /// set.
    ///
    /// - Parameters:
    ///   - kernelRelease: from uname(2).
    ///   - cutsCode: whether it overwrites code in processes.
    public static func afterLoading(kernelRelease: String, cutsCode: Bool = false) -> Capabilities {
        var always: Capabilities = [.traceProcesses, .readAnyFile, .signal]
        if cutsCode { always.insert(.followMappedFiles) }
        let major = kernelRelease.prefix { $0.isNumber }
        return (Int(major) ?? 0) >= 6 ? always : always.union(.bpf)
    }

    /// What it needs until then, in addition:
    /// - loads programs that read the kernel's memory (CAP_BPF, CAP_PERFMON);
    /// - finds the kernel's page tables for them (CAP_SYSLOG: `/proc/kallsyms` shows addresses with it);
    /// - opens the C libraries as processes have them mapped (CAP_CHECKPOINT_RESTORE: `/proc/PID/map_files`);
    /// - lowers the bounding set (CAP_SETPCAP).
    public static let whileLoading: Capabilities = [
        .bpf, .measurePerformance, .seeKernelAddresses, .followMappedFiles, .setCapabilities,
    ]
}
