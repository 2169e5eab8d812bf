// SPDX-License-Identifier: Apache-2.0

import FileAccess

/// The parameters that the kernel was started with, as far as they decide how well the machine is protected. Only those of a list:
/// a command line may hold passwords and the names of disks.
enum BootParameters {
    /// How much of `/proc/cmdline` is read, in bytes: the kernel's own bound is 2048 on x86 and 4096 at most elsewhere.
    private static let maxBytes = 8192

    /// Names as in the kernel's `admin-guide/kernel-parameters`, with `_` for `-`, which the kernel takes for the same.
    private static let names: Set<String> = [
        // Of the processor's faults.
        "mitigations", "pti", "nopti", "kpti", "spectre_v2", "nospectre_v2", "spectre_v2_user", "nospectre_v1", "spectre_bhi",
        "nospectre_bhb", "spec_store_bypass_disable", "nospec_store_bypass_disable", "ssbd", "l1tf", "mds", "tsx", "tsx_async_abort",
        "srbds", "mmio_stale_data", "retbleed", "spec_rstack_overflow", "gather_data_sampling", "reg_file_data_sampling",
        "indirect_target_selection", "its", "tsa", "vmscape", "attack_vector", "nosmt", "kvm.nx_huge_pages", "kvm_intel.vmentry_l1d_flush",
        // Of memory: who may run it, read it, and foresee where it lies.
        "nosmap", "nosmep", "noexec", "noexec32", "nokaslr", "kaslr", "norandmaps", "randomize_kstack_offset", "vsyscall", "vdso",
        "vdso32", "rodata", "init_on_alloc", "init_on_free", "init_mlocked_on_free", "slab_nomerge", "slub_nomerge", "slab_merge",
        "slub_debug", "slab_debug", "page_alloc.shuffle", "page_poison", "hardened_usercopy", "hash_pointers", "no_hash_pointers",
        "iomem", "clearcpuid", "noxsave", "nofsgsbase", "ibt", "nousershstk", "cfi", "arm64.nobti", "arm64.nopauth", "arm64.nomte",
        "proc_mem.force_override",
        // Of the kernel's own integrity, and of who decides.
        "lockdown", "lsm", "security", "selinux", "enforcing", "apparmor", "module.sig_enforce", "module_blacklist", "nomodule",
        "ima_appraise", "ima_policy", "debugfs", "audit", "efi", "kexec_load_disabled", "ia32_emulation",
        // Of devices that reach into memory.
        "iommu", "intel_iommu", "amd_iommu", "iommu.strict", "iommu.passthrough", "arm_smmu.disable_bypass", "swiotlb",
    ]

    /// Reads them of the running kernel.
    ///
    /// - Parameter proc: the process table's folder.
    /// - Returns: `nil` where the command line can't be read; empty where it has none of them.
    static func read(proc: String) -> [String]? {
        ProcFS.text(proc + "/cmdline", maxBytes: maxBytes).map(parameters(of:))
    }

    /// Those of a command line that count, in its order, each as it stands there.
    static func parameters(of commandLine: String) -> [String] {
        var found: [String] = []
        for word in words(commandLine) {
            // What stands behind is for the first program.
            if word == "--" { break }
            let name = word.prefix { $0 != "=" }.map { $0 == "-" ? "_" : $0 }
            // sysctl.kernel.randomize_va_space=0 and the like set what the kernel's own files hold.
            let text = String(name)
            guard names.contains(text) || text.hasPrefix("sysctl.kernel.") || text.hasPrefix("sysctl.vm.") else { continue }
            found.append(word)
        }
        return found
    }

    /// Quotation marks hold a value with spaces together, as in the kernel's `next_arg`.
    private static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        for character in text {
            if character == "\"" { isQuoted.toggle() }
            if !isQuoted, character.isWhitespace {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        return word.isEmpty ? words : words + [word]
    }
}
