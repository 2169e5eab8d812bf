// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import SecureChannel
import TestSupport
import Testing

@Suite("What hosts withheld is counted for hosts whose certificates are in force")
struct WithheldTests {
    @Test func `who is revoked just before its counts are written has said nothing`() async throws {
        let folder = try TemporaryFolder()
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
        let counts = WithheldCounts(day: 20_000, suppressed: 3)
        try await store.revoke(Fixture.host, nowMilliseconds: 10)
        let refused = await #expect(throws: EpitopeError.self) {
            try await store.note(counts, of: Fixture.host, issuedMilliseconds: 10)
        }
        #expect(refused?.code == .revoked)
        #expect(try await store.withheld().isEmpty)
        #expect(try await store.events().map(\.step) == [.revoked])
        try await store.note(counts, of: Fixture.host, issuedMilliseconds: 11)
        #expect(try await store.withheld().map(\.counts) == [counts])
    }
}
