// SPDX-License-Identifier: Apache-2.0

import Novelty
import Testing

@Suite struct DailyQuotaTests {
    private let day = DailyQuota.windowMilliseconds
    private let now: Int64 = 1_700_000_000_000

    @Test func `Three a day fit, a fourth does not`() {
        let quota = DailyQuota()
        #expect(quota.allows(uses: [], nowMilliseconds: now))
        #expect(quota.allows(uses: [now - 2, now - 1], nowMilliseconds: now))
        #expect(!quota.allows(uses: [now - 3, now - 2, now - 1], nowMilliseconds: now))
        #expect(quota.remaining(uses: [now - 2], nowMilliseconds: now) == 2)
    }

    @Test func `The day slides`() {
        let quota = DailyQuota(limit: 2)
        let uses = [now - day + 10, now - 5]
        #expect(!quota.allows(uses: uses, nowMilliseconds: now))
        #expect(quota.nextAllowed(uses: uses, nowMilliseconds: now) == now + 10)
        #expect(!quota.allows(uses: uses, nowMilliseconds: now + 9))
        #expect(quota.allows(uses: uses, nowMilliseconds: now + 10))
    }

    @Test func `A clock set back frees nothing, one that ran far ahead blocks nothing for ever`() {
        let quota = DailyQuota(limit: 1)
        #expect(!quota.allows(uses: [now + 1000], nowMilliseconds: now))
        #expect(quota.allows(uses: [now + 365 * day], nowMilliseconds: now))
        #expect(quota.allows(uses: [.min, .max], nowMilliseconds: 0))
    }

    @Test func `A limit of none allows none`() {
        #expect(!DailyQuota(limit: 0).allows(uses: [], nowMilliseconds: now))
        #expect(DailyQuota(limit: -5).limit == 0)
        #expect(DailyQuota(limit: 0).nextAllowed(uses: [], nowMilliseconds: now) == nil)
        #expect(DailyQuota(limit: 1).nextAllowed(uses: [], nowMilliseconds: now) == now)
    }
}
