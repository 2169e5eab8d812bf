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
        let machine = Process()
        let console = Pipe()
        machine.executableURL = package.appending(path: "Scripts/run-in-machine")
        machine.arguments = [
            "500", [Fixtures.path("kernel-matrix"), Fixtures.path("call-stub"), Fixtures.path("inject-stub"), narrow.path].joined(separator: ","),
        ]
        machine.standardOutput = console
        try machine.run()
        let text = String(decoding: console.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        machine.waitUntilExit()
        try #require(machine.terminationStatus != 3, "the machine could not be made: see above; packages and the kernel come from the package sources")
        let lines = text.split(separator: "\n")
        for line in lines where line.hasPrefix("FAILED") { Issue.record("\(line)") }
        #expect(lines.contains { $0.hasPrefix("level hooks") }, "the console said: \(text.suffix(2000))")
        #expect(lines.contains { $0 == "RESULT ok=420 failed=0" }, "the console said: \(text.suffix(2000))")
        #expect(machine.terminationStatus == 0)
    }
}
