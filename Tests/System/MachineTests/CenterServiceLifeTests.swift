// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The center's units under systemd itself, in a machine of its own (`Scripts/vm/boot-center-in-machine`): two users, a key that the
/// center can't reach, hosts that enrol, and both processes killed.
@Suite struct CenterServiceLifeTests {
    static let canRun = ServiceLifeTests.canRun && access("/usr/bin/systemd-analyze", X_OK) == 0

    @Test(.enabled(if: canRun, "needs qemu-system-x86_64, busybox and systemd: Scripts/install-dependencies test"))
    func `a center and its key live as two users, hosts enrol, and a kill of either is survived`() async throws {
        let folder = try TemporaryFolder()
        let settings = try folder.makeFolder("etc/epitope") + "/local-center.yaml"
        try Data(#"{"requireGoodware": false}"#.utf8).write(to: URL(filePath: settings))
        let machine = try await Machine.boot(
            "boot-center-in-machine", seconds: 1600,
            ["\(PackageFolder.path)/Tests/Support/ServiceLife/center.sh", Fixtures.path("epitope"), folder.path])
        for line in machine.failures { Issue.record("\(line)") }
        for line in machine.lines where line.contains("exposure level") { print(line) }
        #expect(
            machine.lines.contains { $0.hasPrefix("RESULT ok=") && $0.hasSuffix(" failed=0") }, "the console said: \(machine.lastWords)")
        #expect(machine.status == 0)
    }
}
