// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import Foundation
import ProcessInspection

/// What the running kernel offers, and what would have to change for more.
public struct KernelSupport: Hashable, Sendable {
    public var level: ProtectionLevel
    /// Why it is that level, for a person.
    public var reason: String
    /// What to change to get the better one; `nil` at the best.
    public var remedy: String?

    /// Of this machine. Loads a small program for a moment where the security modules don't settle it.
    public static var current: KernelSupport {
        let modules = ProcFile.text("/sys/kernel/security/lsm")
        return KernelSupport(
            activeModules: modules,
            canDecideFunctions: {
                let object = LoadedProgram.object
                return epitope_kernel_lets_functions_be_decided(object, object.count)
            })
    }

    /// - Parameters:
    ///   - activeModules: the content of `/sys/kernel/security/lsm`; `nil` where it can't be read.
    ///   - canDecideFunctions: whether programs may decide what the kernel's security functions return; asked only
    ///     where bpf is no active security module.
    public init(activeModules: String?, canDecideFunctions: () -> Bool) {
        let names = activeModules?.split { $0 == "," || $0.isWhitespace }.map(String.init)
        if let names, names.contains("bpf") {
            level = .hooks
            reason = "the security module bpf is active (active: \(names.joined(separator: ", ")))"
            remedy = nil
            return
        }
        let noModule: String
        if let names {
            noModule = "the security module bpf is not active (active: \(names.joined(separator: ", ")))"
            remedy = "boot with lsm=\((names + ["bpf"]).joined(separator: ",")) on the kernel's command line"
        } else {
            noModule = "this kernel doesn't tell its security modules (/sys/kernel/security/lsm can't be read)"
            remedy = "mount securityfs on /sys/kernel/security, and boot a kernel that is built with CONFIG_BPF_LSM"
        }
        if canDecideFunctions() {
            level = .functions
            reason = "\(noModule), but the kernel lets the result of its security functions be decided"
        } else {
            level = .tracepoints
            reason = "\(noModule), and the kernel doesn't let the result of its security functions be decided"
        }
    }
}
