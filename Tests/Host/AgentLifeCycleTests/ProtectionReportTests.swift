// SPDX-License-Identifier: Apache-2.0

import Foundation
import HostFrontEnd
import KernelBackend
import Testing

/// The text and the exit status of `epitope status`.
@Suite struct ProtectionReportTests {
    private func status(_ process: Int32) throws -> AgentStatus {
        let text = """
            {"processID": \(process), "level": "hooks", "action": "block", "since": 0, "time": 1000, "pinnedAt": "/sys/fs/bpf/epitope", "counted": {"dropped": 3}}
            """
        return try JSONDecoder().decode(AgentStatus.self, from: Data(text.utf8))
    }

    @Test func `protection and its agent`() throws {
        let works = ProtectionReport(lockHolder: 7, status: try status(7), pinned: nil)
        #expect(works.state == .inForce(agent: 7) && works.exitStatus == 0)
        #expect(works.lines.contains("agent      process 7, since 1970-01-01T00:00:00.000Z"))
        #expect(works.lines.contains("in force   by hooks, action block"))
        #expect(works.lines.contains("  dropped 3"))
        // A starting agent holds the lock and has not written a status: the last one is another agent's.
        #expect(ProtectionReport(lockHolder: 8, status: try status(7), pinned: nil).exitStatus == 3)
        #expect(ProtectionReport(lockHolder: nil, status: try status(7), pinned: nil).state == .notInForce)
        #expect(ProtectionReport(lockHolder: nil, status: nil, pinned: nil).exitStatus == 3)
    }
}
