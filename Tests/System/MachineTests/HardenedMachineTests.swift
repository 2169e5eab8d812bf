// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// What hardened and older machines have otherwise, on Debian's kernel in a machine of its own (`Scripts/vm/run-in-machine`): every
/// setting of Yama, kernel addresses that nobody is shown, control groups of version 1; and processes in namespaces of their own.
@Suite struct HardenedMachineTests {
    static let canRun = ["/usr/bin/qemu-system-x86_64", "/bin/busybox"].allSatisfy { (path: String) in access(path, X_OK) == 0 }

    @Test(.enabled(if: canRun, "needs qemu-system-x86_64 and busybox: Scripts/install-dependencies test"))
    func `both backends hold under a hardened kernel's settings, and in other namespaces`() async throws {
        let ownCode = try await OwnCodeProgram()
        let programs =
            ["\(PackageFolder.path)/Tests/Support/HardenedMachine/checks.sh", ownCode.path]
            + ["protect", "call-stub", "epitope-agent", "kernel-matrix"].map(Fixtures.path)
        let machine = try await Machine.boot("run-in-machine", seconds: 1200, [programs.joined(separator: ",")])
        for line in machine.failures { Issue.record("\(line)") }
        #expect(
            machine.lines.contains { $0.hasPrefix("RESULT ok=") && $0.hasSuffix(" failed=0") }, "the console said: \(machine.lastWords)")
        #expect(machine.status == 0)
    }
}
