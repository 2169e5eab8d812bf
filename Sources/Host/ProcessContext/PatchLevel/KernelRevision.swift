// SPDX-License-Identifier: Apache-2.0

import FileAccess

/// The revision of the package that the running kernel is of. What the kernel says of itself comes first: the package database
/// knows what is installed, which is the next start's kernel after an upgrade.
enum KernelRevision {
    private static let architectures = [".x86_64", ".aarch64", ".i686", ".ppc64le", ".s390x"]

    /// - Parameters:
    ///   - release: `uname -r`.
    ///   - build: `uname -v`.
    ///   - signature: `/proc/version_signature`, which Ubuntu's kernels have.
    ///   - packages: those of the machine's own root.
    static func find(release: String, build: String?, signature: String?, packages: PackageDatabase?) -> String? {
        if let build, let own = debian(build) { return own }
        if let signature, let own = ubuntu(signature) { return own }
        switch packages?.kind {
        case .dpkg:
            for name in ["linux-image-\(release)", "linux-image-unsigned-\(release)", "pve-kernel-\(release)", "proxmox-kernel-\(release)"]
            {
                if let version = packages?.version(of: name) { return version }
            }
            return nil
        case .apk:
            // 6.6.14-0-virt is of linux-virt 6.6.14-r0.
            let parts = release.split(separator: "-")
            guard parts.count == 3, let version = packages?.version(of: "linux-\(parts[2])"), version == "\(parts[0])-r\(parts[1])"
            else { return nil }
            return version
        case .rpm: return rpm(release, packages)
        case nil: return nil
        }
    }

    /// `#1 SMP PREEMPT_DYNAMIC Debian 6.1.148-1 (2025-08-26)`.
    private static func debian(_ build: String) -> String? {
        let words = build.split(separator: " ")
        guard let name = words.lastIndex(of: "Debian"), name + 1 < words.count, words[name + 1].first?.isNumber == true else { return nil }
        return String(words[name + 1])
    }

    /// `Ubuntu 5.15.0-91.101-generic 5.15.131`: the package's revision with the flavour behind it.
    private static func ubuntu(_ signature: String) -> String? {
        let words = signature.split(whereSeparator: \.isWhitespace)
        guard words.count >= 2, words[0] == "Ubuntu", let dash = words[1].lastIndex(of: "-"), words[1].first?.isNumber == true else {
            return nil
        }
        let flavour = words[1][words[1].index(after: dash)...]
        return flavour.first?.isLetter == true ? String(words[1][..<dash]) : String(words[1])
    }

    /// The release of Red Hat's kernels is their package's version, release and architecture. SUSE's leaves out the package's count of
    /// rebuilds and has the flavour in its place.
    private static func rpm(_ release: String, _ packages: PackageDatabase?) -> String? {
        if let ending = architectures.first(where: { release.hasSuffix($0) }) { return String(release.dropLast(ending.count)) }
        guard let dash = release.lastIndex(of: "-"), release[release.index(after: dash)...].first?.isLetter == true else { return nil }
        let (base, flavour) = (String(release[..<dash]), release[release.index(after: dash)...])
        let installed = packages?.versions(of: "kernel-\(flavour)") ?? []
        let fitting = Set(installed.filter { $0 == base || $0.hasPrefix(base + ".") })
        return fitting.count == 1 ? fitting.first : base
    }
}
