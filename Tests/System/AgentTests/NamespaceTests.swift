// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

extension AgentTests {
    /// Where the machine's process IDs stand for other processes.
    @Suite struct NamespaceTests {
        @Test func `an agent in a pid namespace is refused with the reason`() async throws {
            let fixture = try await AgentFixture()
            let words = try fixture.words(
                ["--pins", "none"], pinned: false, before: ["/usr/bin/unshare", "--pid", "--fork", "--mount-proc"])
            let run = try await Command.run(words[0], Array(words.dropFirst()), seconds: 60)
            #expect(run.status != 0)
            #expect(run.errors.contains("[agent-in-pid-namespace]"), "\(run.output) \(run.errors)")
            #expect(run.errors.contains("hostPID: true"))
        }
    }
}
