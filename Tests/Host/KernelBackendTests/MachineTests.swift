// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The levels that deny calls, on Debian's kernels with BPF LSM, in a virtual machine (`Scripts/vm/run-in-machine`): every call of the
/// matrix from every kind of memory, with the right caller, the right code, and nothing at the receiver. One machine after the other: each
/// takes a processor.
@Suite(.serialized) struct MachineTests {
    /// The kernels: of the release that this machine runs (Debian 12: Linux 6.1).
    static let suites = [nil] as [String?]

    static let canRun = access("/usr/bin/qemu-system-x86_64", X_OK) == 0 && access("/bin/busybox", X_OK) == 0

    @Test(.enabled(if: canRun, "needs qemu-system-x86_64 and busybox: Scripts/install-dependencies test"), arguments: suites)
    func `security hooks deny the whole matrix`(suite: String?) async throws {
        let program = try await Program32Bit()
        let programs = [
            Fixtures.path("kernel-matrix"), Fixtures.path("call-stub"), Fixtures.path("return-stub"), Fixtures.path("inject-stub"),
            program.path,
        ]
        let machine = try await Machine.boot("run-in-machine", seconds: 900, [programs.joined(separator: ",")], suite: suite)
        for line in machine.failures { Issue.record("\(line)") }
        #expect(machine.lines.contains { $0.hasPrefix("level hooks") }, "the console said: \(machine.lastWords)")
        #expect(machine.lines.contains("RESULT ok=726 failed=0"), "the console said: \(machine.lastWords)")
        #expect(machine.status == 0)
    }
}
