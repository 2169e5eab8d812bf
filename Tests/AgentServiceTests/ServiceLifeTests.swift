import Foundation
import Testing
import TestSupport

/// The unit under systemd itself, on Debian's kernel with BPF LSM, in a machine of its own (`Scripts/boot-in-machine`): started
/// at boot with the rights that the unit leaves it, restarted, killed and stopped, with attacks all the while.
@Suite struct ServiceLifeTests {
    static let canRun = ["/usr/bin/qemu-system-x86_64", "/bin/busybox", "/lib/systemd/systemd"].allSatisfy { (path: String) in access(path, X_OK) == 0 }

    @Test(.enabled(if: canRun, "needs qemu-system-x86_64, busybox and systemd: Scripts/install-dependencies test"))
    func protectionIsInForceFromBootToStop() throws {
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../..").standardizedFileURL
        let machine = Process()
        let console = Pipe()
        machine.executableURL = package.appending(path: "Scripts/boot-in-machine")
        machine.arguments = [
            "800", package.appending(path: "Fixtures/ServiceLife/life.sh").path(),
            Fixtures.path("epitope-agent") + "," + Fixtures.path("call-stub"), "--level tracepoints --without-hooks kill",
        ]
        machine.standardOutput = console
        try machine.run()
        let text = String(decoding: console.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        machine.waitUntilExit()
        try #require(machine.terminationStatus != 3, "the machine could not be made: see above; packages and the kernel come from the package sources")
        let lines = text.split(separator: "\n")
        for line in lines where line.hasPrefix("FAILED") { Issue.record("\(line)") }
        #expect(lines.contains { $0.hasPrefix("RESULT ok=") && $0.hasSuffix(" failed=0") }, "the console said: \(text.suffix(3000))")
        #expect(machine.terminationStatus == 0)
    }
}
