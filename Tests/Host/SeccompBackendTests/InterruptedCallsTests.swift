// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Testing

@testable import SeccompBackend

/// What is remembered of calls that signals take back.
@Suite struct InterruptedCallsTests {
    private static func key(thread: UInt32 = 7, argument: UInt64 = 1) -> InterruptedCalls.Key {
        var notification = epitope_notification()
        notification.thread = thread
        notification.number = 42
        notification.instruction_pointer = 0x1000
        notification.arguments.0 = argument
        // The number of the notification is another each time.
        notification.id = .random(in: 0 ... .max)
        return InterruptedCalls.Key(notification)
    }

    private static func entry(_ action: ProtectiveAction, inspections: Int = 1, isReported: Bool = false) -> InterruptedCalls.Entry {
        let region = MemoryRegion(start: 0x1000, end: 0x2000, protection: [.read, .execute], backing: .anonymous)
        var verdict = Policy.default.judge(
            Observation(architecture: .x86_64, call: .connect, instructionPointer: 0x1100, region: region), excluding: [])
        verdict.action = action
        return .init(verdict: verdict, inspections: inspections, isReported: isReported)
    }

    @Test func `a call is known when it comes again, once`() {
        var calls = InterruptedCalls()
        #expect(calls.isEmpty)
        calls.insert(Self.entry(.blocked), for: Self.key())
        #expect(calls.take(Self.key(thread: 8)) == nil)
        #expect(calls.take(Self.key(argument: 2)) == nil)
        #expect(calls.take(Self.key()) == Self.entry(.blocked))
        #expect(calls.take(Self.key()) == nil)
    }

    @Test func `only a denial that was reported is settled without another look`() {
        let enough = InterruptedCalls.maxInspections
        #expect(Self.entry(.blocked, inspections: enough, isReported: true).isSettled)
        #expect(!Self.entry(.blocked, inspections: enough - 1, isReported: true).isSettled)
        #expect(!Self.entry(.blocked, inspections: enough, isReported: false).isSettled)
        #expect(!Self.entry(.watched, inspections: 100, isReported: true).isSettled)
    }

    @Test func `the oldest are forgotten`() {
        var calls = InterruptedCalls()
        for thread in 0...UInt32(InterruptedCalls.maxCalls) { calls.insert(Self.entry(.blocked), for: Self.key(thread: thread)) }
        #expect(calls.take(Self.key(thread: 0)) == nil)
        for thread in 1...UInt32(InterruptedCalls.maxCalls) { #expect(calls.take(Self.key(thread: thread)) != nil) }
    }
}
