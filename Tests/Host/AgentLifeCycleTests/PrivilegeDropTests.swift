// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import AgentLifeCycle

/// A process's capabilities, as the kernel reports them, and giving them up.
@Suite struct PrivilegeDropTests {
    private static let status = """
        Name:\tepitope-agent
        Threads:\t1
        CapInh:\t0000000000000000
        CapPrm:\t0000000000080024
        CapEff:\t0000000000080024
        CapBnd:\t0000000000000000
        CapAmb:\t0000000000000000
        NoNewPrivs:\t1
        """

    @Test func `what a process may do is read as the kernel writes it`() throws {
        let rights = try #require(PrivilegeDrop.Rights(status: Self.status))
        #expect(rights.areOnly([.traceProcesses, .readAnyFile, .signal]))
        #expect(rights.threads == 1)
        #expect(!rights.areOnly([.traceProcesses]))
        for (line, other) in [
            ("CapInh:\t0000000000000000", "CapInh:\t0000000000000020"), ("CapEff:\t0000000000080024", "CapEff:\t0000000000080025"),
            ("CapPrm:\t0000000000080024", "CapPrm:\t0000000000280024"), ("CapAmb:\t0000000000000000", "CapAmb:\t0000000000000004"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
        ] {
            let changed = try #require(PrivilegeDrop.Rights(status: Self.status.replacing(line, with: other)))
            #expect(!changed.areOnly([.traceProcesses, .readAnyFile, .signal]), "\(other)")
        }
        #expect(PrivilegeDrop.Rights(status: Self.status.replacing("NoNewPrivs", with: "Other")) == nil)
        #expect(PrivilegeDrop.Rights(status: "") == nil)
    }

    @Test func `rights are not given up by one thread of several`() throws {
        // The test's own process has many.
        let failure = #expect(throws: EpitopeError.self) { try PrivilegeDrop.apply() }
        #expect(failure?.code == .privilegesNotDropped)
        let status = try KernelFile.text("/proc/self/status")
        #expect(PrivilegeDrop.Rights(status: status)?.canGainRights == true)
    }
}
