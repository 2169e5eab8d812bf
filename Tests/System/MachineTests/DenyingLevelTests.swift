// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The levels that deny calls, on Debian's kernels with BPF LSM, in a virtual machine (`Scripts/vm/run-in-machine`): every call of the
/// matrix from every kind of memory, with the right caller, the right code, and nothing at the receiver. One machine after the other: each
/// takes a processor.
@Suite(.serialized) struct DenyingLevelTests {
    /// The whole on the kernel of the release that this machine runs (Debian 12: Linux 6.1), a slice of it on that of Debian 13 (Linux
    /// 6.12): under emulation the whole takes minutes. `Tests/Support/KernelMatrix` says what the slice leaves out.
    static let kernels: [(suite: String?, part: [String], result: String)] = [
        (nil, [], "RESULT ok=738 failed=0"), ("trixie", ["slice"], "RESULT ok=293 failed=0"),
    ]

    static let canRun = access("/usr/bin/qemu-system-x86_64", X_OK) == 0 && access("/bin/busybox", X_OK) == 0

    @Test(.enabled(if: canRun, "needs qemu-system-x86_64 and busybox: Scripts/install-dependencies test"), arguments: kernels)
    func `security hooks deny every call of the matrix`(_ kernel: (suite: String?, part: [String], result: String)) async throws {
        let program = try await Program32Bit()
        let programs = [
            Fixtures.path("kernel-matrix"), Fixtures.path("call-stub"), Fixtures.path("return-stub"), Fixtures.path("inject-stub"),
            program.path,
        ]
        let machine = try await Machine.boot(
            "run-in-machine", seconds: 1800, [programs.joined(separator: ",")] + kernel.part, suite: kernel.suite)
        for line in machine.failures { Issue.record("\(line)") }
        #expect(machine.lines.contains { $0.hasPrefix("level hooks") }, "the console said: \(machine.lastWords)")
        #expect(machine.lines.contains { $0 == kernel.result }, "the console said: \(machine.lastWords)")
        #expect(machine.status == 0)
    }

    @Test(.enabled(if: canRun, "needs qemu-system-x86_64 and busybox: Scripts/install-dependencies test"))
    func `the host's options hold where calls are denied`() async throws {
        let programs = [Fixtures.path("kernel-matrix"), Fixtures.path("call-stub")]
        let machine = try await Machine.boot("run-in-machine", seconds: 1200, [programs.joined(separator: ","), "options"])
        for line in machine.failures { Issue.record("\(line)") }
        #expect(machine.lines.contains { $0.hasPrefix("level hooks") }, "the console said: \(machine.lastWords)")
        #expect(machine.lines.contains("RESULT ok=78 failed=0"), "the console said: \(machine.lastWords)")
        #expect(machine.status == 0)
    }

    /// Hooks hold a call from such a page until the agent has compared it.
    @Test(
        .enabled(
            if: canRun && OwnCodeProgram.canPack, "needs qemu-system-x86_64, busybox and upx-ucl: Scripts/install-dependencies test"))
    func `written code that is a file's all the same passes security hooks, and nothing else does`() async throws {
        let plain = try await OwnCodeProgram()
        let relocated = try await OwnCodeProgram.relocated(name: "own-code-relocated")
        let packed = try await OwnCodeProgram.packed(name: "own-code-packed")
        let folder = try TemporaryFolder()
        var symbols = ""
        for symbol in ["main", "calling", "unused"] { symbols += "\(symbol) \(try #require(try await plain.fileOffset(of: symbol)))\n" }
        let places = "\(folder.path)/own-code.symbols"
        try symbols.write(toFile: places, atomically: true, encoding: .utf8)
        let programs = [
            Fixtures.path("kernel-matrix"), Fixtures.path("call-stub"), plain.path, relocated.path, packed.path, places,
        ]
        let machine = try await Machine.boot("run-in-machine", seconds: 1200, [programs.joined(separator: ","), "own-code"])
        for line in machine.failures { Issue.record("\(line)") }
        #expect(machine.lines.contains { $0.hasPrefix("level hooks") }, "the console said: \(machine.lastWords)")
        #expect(machine.lines.contains("RESULT ok=56 failed=0"), "the console said: \(machine.lastWords)")
        #expect(machine.status == 0)
    }
}
