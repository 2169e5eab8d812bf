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
    func `the unit protects from boot to stop, with its policy, store and identity damaged from the start`() async throws {
        let folder = try TemporaryFolder()
        let state = folder.path + "/var/lib/epitope/host"
        for (path, text) in [
            ("\(folder.path)/etc/epitope/policy.json", #"{"actoin": "block"}"#), ("\(state)/local/identity.json", "{"),
            ("\(state)/host.sqlite", String(repeating: "damaged ", count: 1024)),
        ] {
            try FileManager.default.createDirectory(
                atPath: String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex)), withIntermediateDirectories: true)
            try text.write(toFile: path, atomically: false, encoding: .utf8)
            chmod(path, 0o600)
        }
        chmod(state, 0o700)
        // The same program, but for what it says of itself.
        let versions = try TemporaryFolder()
        let next = versions.path + "/epitope-agent-next"
        let strip = try await Command.run("/usr/bin/strip", ["-o", next, Fixtures.path("epitope-agent")])
        try #require(strip.status == 0, "\(strip.errors)")
        var program = try Data(contentsOf: URL(filePath: next))
        while let range = program.range(of: Data("epitope-version=0.1.0;".utf8)) {
            program.replaceSubrange(range, with: Data("epitope-version=0.1.1;".utf8))
        }
        try program.write(to: URL(filePath: next))
        let machine = try await Machine.boot(
            "boot-in-machine", seconds: 1600,
            [
                "\(PackageFolder.path)/Tests/Support/ServiceLife/life.sh",
                ["epitope-agent", "call-stub", "call-series"].map(Fixtures.path).joined(separator: ",") + "," + next,
                "--level tracepoints --without-hooks kill --seccomp-listener /run/epitope/seccomp.sock", folder.path,
            ])
        for line in machine.failures { Issue.record("\(line)") }
        #expect(
            machine.lines.contains { $0.hasPrefix("RESULT ok=") && $0.hasSuffix(" failed=0") }, "the console said: \(machine.lastWords)")
        #expect(machine.status == 0)
    }
}
