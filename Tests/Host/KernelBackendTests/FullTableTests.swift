// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import Foundation
import KernelBackend
import KernelWatch
import TestSupport
import Testing

/// Tables that all processes share, when they are full. `DenyingLevelTests` has the same for what hooks need.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct FullTableTests {
    /// The processes of the machine that have a mark anyway find room, too.
    private static let places: UInt32 = 128

    @Test func `marks that run over are told and recovered when processes end`() async throws {
        let backend = try await KernelBackend.another(Policy(action: .watch), places: .init(marks: Self.places))
        defer { backend.stop() }
        let overflow = Task {
            for await notice in backend.notices { if case .marksWithoutRoom = notice { return true } }
            return false
        }
        let crowd = try RunningProcess([Fixtures.path("call-stub"), "wait", String(2 * Self.places), "0"])
        _ = try await crowd.line(with: "waiting")
        #expect(await overflow.value)
        #expect(backend.statistics.marksWithoutRoom >= UInt64(Self.places))
        let recovery = Task {
            for await notice in backend.notices { if notice == .marksRecovered { return true } }
            return false
        }
        crowd.send(SIGTERM)
        try await crowd.end()
        #expect(await recovery.value)
    }
}
