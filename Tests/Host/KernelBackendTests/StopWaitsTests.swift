// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import KernelBackend

@Suite struct StopWaitsTests {
    @Test func `a stop that comes is waited for`() {
        var waits = StopWaits()
        var looks = 0
        #expect(
            waits.wait {
                looks += 1
                return looks == 5
            })
    }

    /// Somebody continues a process again and again, so that the agent waits in vain: others' reports are held up for a while a second.
    @Test func `waits in vain have a bound together`() {
        var waits = StopWaits()
        let start = ContinuousClock.now
        for _ in 0..<1000 { #expect(!waits.wait { false }) }
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func `a process is held once all its threads have stopped`() async throws {
        let program = try RunningProcess([Fixtures.path("call-stub"), "direct", "anonymous", "pause", "9", "thread"])
        _ = try await program.line(with: "expected")
        let process = StoppedProcess(processID: program.identifier, threadID: program.identifier)
        #expect(!process.isHeld)
        program.send(SIGSTOP)
        try await eventually("a process that is held", seconds: 10) { process.isHeld }
        try await program.end(SIGKILL)
        #expect(!process.isHeld)
    }
}
