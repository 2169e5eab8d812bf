import Foundation
import Testing
import TestSupport

/// The backend that denies, on Debian's kernel with BPF LSM, in a machine of its own (`Scripts/run-in-machine`): every
/// call of the matrix from every place, with the right caller, the right code, and nothing at the receiver.
@Suite struct MachineTests {
    static let canRun = access("/usr/bin/qemu-system-x86_64", X_OK) == 0 && access("/bin/busybox", X_OK) == 0

    @Test(.enabled(if: canRun, "needs qemu-system-x86_64 and busybox: Scripts/install-dependencies test"))
    func securityHooksDenyTheWholeMatrix() async throws {
        let narrow = try await NarrowProgram()
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let programs = [Fixtures.path("kernel-matrix"), Fixtures.path("call-stub"), Fixtures.path("inject-stub"), narrow.path]
        let machine = try await Command.run(
            package.appending(path: "Scripts/run-in-machine").path(), ["500", programs.joined(separator: ",")], seconds: 520)
        let text = machine.output
        try #require(machine.status != 3, "the machine could not be made: \(machine.errors)")
        let lines = text.split(separator: "\n")
        for line in lines where line.hasPrefix("FAILED") { Issue.record("\(line)") }
        #expect(lines.contains { $0.hasPrefix("level hooks") }, "the console said: \(text.suffix(2000))")
        #expect(lines.contains { $0 == "RESULT ok=436 failed=0" }, "the console said: \(text.suffix(2000))")
        #expect(machine.status == 0)
    }
}
