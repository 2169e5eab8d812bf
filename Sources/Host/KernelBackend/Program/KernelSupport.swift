// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import FileAccess
import Foundation

/// The best level that a kernel supports, and what would have to change for a better one.
public struct KernelSupport: Hashable, Sendable {
    public var level: ProtectionLevel
    /// Why it is that level.
    public var reason: String
    /// What to change to get the best level; `nil` at the best.
    public var remedy: String?
    /// Who tells the written pages of images from others.
    public var writtenPages: WrittenPages

    /// Of this machine. Loads a small program for a moment unless BPF LSM is active.
    public static var current: KernelSupport {
        let modules = ProcFS.text("/sys/kernel/security/lsm")
        return KernelSupport(
            activeModules: modules, writtenPages: .current,
            supportsFmodRet: {
                let object = LoadedProgram.object
                return epitope_supports_fmod_ret(object, object.count)
            })
    }

    /// - Parameters:
    ///   - activeModules: the content of `/sys/kernel/security/lsm`; `nil` where it can't be read.
    ///   - writtenPages: see ``WrittenPages``.
    ///   - supportsFmodRet: whether programs may replace the result of the kernel's security functions; called only where the BPF
    ///     security module is not active.
    public init(activeModules: String?, writtenPages: WrittenPages = .toldByKernel, supportsFmodRet: () -> Bool) {
        self.writtenPages = writtenPages
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
            noModule = "the active security modules are unknown (/sys/kernel/security/lsm can't be read)"
            remedy = "mount securityfs on /sys/kernel/security, and boot a kernel that is built with CONFIG_BPF_LSM"
        }
        if supportsFmodRet() {
            level = .fmodRet
            reason = "\(noModule), but the kernel allows programs to replace the result of its security functions (fmod_ret)"
        } else {
            level = .tracepoints
            reason = "\(noModule), and the kernel doesn't allow programs to replace the result of its security functions (fmod_ret)"
        }
    }
}
