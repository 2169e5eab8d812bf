import Foundation

/// What the running kernel offers, and what would have to change for more.
public struct KernelSupport: Hashable, Sendable {
    public var level: ProtectionLevel
    /// Why it is that level, for a person.
    public var reason: String
    /// What to change to get the better one; `nil` at the best.
    public var remedy: String?

    /// Of this machine.
    public static var current: KernelSupport {
        let modules = try? String(contentsOfFile: "/sys/kernel/security/lsm", encoding: .utf8)
        return KernelSupport(activeModules: modules)
    }

    /// - Parameter activeModules: the content of `/sys/kernel/security/lsm`; `nil` where it can't be read.
    public init(activeModules: String?) {
        guard let activeModules else {
            level = .tracepoints
            reason = "this kernel doesn't tell its security modules (/sys/kernel/security/lsm can't be read)"
            remedy = "mount securityfs on /sys/kernel/security, and boot a kernel that is built with CONFIG_BPF_LSM"
            return
        }
        let names = activeModules.split { $0 == "," || $0.isWhitespace }.map(String.init)
        guard names.contains("bpf") else {
            level = .tracepoints
            reason = "the security module bpf is not active (active: \(names.joined(separator: ", ")))"
            remedy = "boot with lsm=\((names + ["bpf"]).joined(separator: ",")) on the kernel's command line"
            return
        }
        level = .hooks
        reason = "the security module bpf is active (active: \(names.joined(separator: ", ")))"
        remedy = nil
    }
}
