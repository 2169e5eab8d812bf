// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The levels that deny calls, on Debian's kernel with BPF LSM, in a virtual machine (`Scripts/vm/run-in-machine`): every call of the
/// matrix from every kind of memory, with the right caller, the right code, and nothing at the receiver.
@Suite struct MachineTests {
    static let canRun = access("/usr/bin/qemu-system-x86_64", X_OK) == 0 && access("/bin/busybox", X_OK) == 0

    @Test(.enabled(if: canRun, "needs qemu-system-x86_64 and busybox: Scripts/install-dependencies test"))
    func `security hooks deny the whole matrix`() async throws {
        let program = try await Program32Bit()
        let programs = [
            Fixtures.path("kernel-matrix"), Fixtures.path("call-stub"), Fixtures.path("return-stub"), Fixtures.path("inject-stub"),
            program.path,
        ]
        let machine = try await Machine.boot("run-in-machine", seconds: 900, [programs.joined(separator: ",")])
        for line in machine.failures { Issue.record("\(line)") }
        #expect(machine.lines.contains { $0.hasPrefix("level hooks") }, "the console said: \(machine.lastWords)")
        #expect(machine.lines.contains("RESULT ok=726 failed=0"), "the console said: \(machine.lastWords)")
        #expect(machine.status == 0)
    }
}
