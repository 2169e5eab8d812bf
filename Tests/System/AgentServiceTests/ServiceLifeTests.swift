// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The unit under systemd itself, on Debian's kernel with BPF LSM, in a machine of its own (`Scripts/vm/boot-in-machine`): started
/// at boot with the rights that the unit leaves it, restarted, killed and stopped, with attacks all the while.
@Suite struct ServiceLifeTests {
    static let canRun = ["/usr/bin/qemu-system-x86_64", "/bin/busybox", "/lib/systemd/systemd"].allSatisfy { (path: String) in
        access(path, X_OK) == 0
    }

    @Test(.enabled(if: canRun, "needs qemu-system-x86_64, busybox and systemd: Scripts/install-dependencies test"))
    func `the unit protects from boot to stop`() async throws {
        let machine = try await Machine.boot(
            "boot-in-machine", seconds: 800,
            [
                "\(PackageFolder.path)/Tests/Support/ServiceLife/life.sh",
                Fixtures.path("epitope-agent") + "," + Fixtures.path("call-stub"),
                "--level tracepoints --without-hooks kill --seccomp-listener /run/epitope/seccomp.sock",
            ])
        for line in machine.failures { Issue.record("\(line)") }
        #expect(
            machine.lines.contains { $0.hasPrefix("RESULT ok=") && $0.hasSuffix(" failed=0") }, "the console said: \(machine.lastWords)")
        #expect(machine.status == 0)
    }
}
