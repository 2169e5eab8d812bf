// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
import EpitopeModel
import Scheduling
import TestSupport
import Testing

@testable import LocalCenter

/// A global center that is busy says when it wants to hear from a site again.
@Suite struct LinkWaitTests {
    private static let busy = EpitopeError(.init("store-busy"), "busy", remedy: "none", retryAfterSeconds: 600)

    @Test func `a global center that asks to be left alone is`() async throws {
        let folder = try TemporaryFolder()
        let center = try RunningCenter(folder: folder, ids: nil, global: FakeGlobalCenter(.isOutOfReach))
        try await center.receive(Fixture.packet(attack: 1))
        try await center.awaitForwards(["pending": 1])
        await center.kill()
        let journal = Journal()
        let worker = ForwardingWorker(
            store: center.store, link: FakeGlobalCenter(.answers(Self.busy), journal: journal),
            schedule: TargetSchedule(
                limits: LiveValue(QuotaLimits()), yieldingTo: nil, signal: WakeUpSignal(), otherSignal: WakeUpSignal()),
            onFailure: { _ in }, onSuccess: {})
        #expect(try await worker.round().map { $0 > .seconds(590) } == true)
        #expect(try await worker.round().map { $0 > .seconds(590) } == true, "woken by something else, it leaves it alone")
        #expect(await journal.entries == ["forward"])
    }

    @Test func `the wait after a failure is as long as the global center asked for, at least`() {
        var retry = RetryState(.center)
        #expect((.seconds(600) ... .seconds(900)).contains(retry.failed(by: Self.busy)))
        #expect(retry.failed(by: EpitopeError(.centerUnreachable, "away", remedy: "none")) <= .seconds(1))
        #expect(retry.failed(by: CancellationError()) <= .seconds(2))
    }
}
