// SPDX-License-Identifier: Apache-2.0

import FileAccess

/// The patch level of the machine itself, whatever root the process has.
struct MachineFacts: Hashable, Sendable {
    var kernelBuild: String?
    var kernelPackageVersion: String?
    var microcodeRevision: String?
    /// `nil` where they can't be read.
    var bootParameters: [String]?

    /// Where they are read; other folders in tests.
    struct Places: Sendable {
        var proc = "/proc"
        var sys = "/sys"
        var root = "/"
    }

    /// How much of a line of the kernel's is read, in bytes.
    private static let maxLine = 512

    /// - Parameters:
    ///   - release: `uname -r`.
    ///   - build: `uname -v`.
    init(places: Places, release: String?, build: String?) {
        kernelBuild = build
        microcodeRevision = Microcode.revision(proc: places.proc, sys: places.sys)
        bootParameters = BootParameters.read(proc: places.proc)
        let signature = ProcFS.text(places.proc + "/version_signature", maxBytes: Self.maxLine)
        kernelPackageVersion = release.flatMap { release in
            KernelRevision.find(
                release: release, build: build, signature: signature,
                packages: RootFolder(places.root).flatMap { PackageDatabase(root: $0) })
        }
    }
}
