// SPDX-License-Identifier: Apache-2.0

import Novelty
import Testing

/// What goes of a packet where the link is shared.
@Suite struct LinkBudgetTests {
    private let now: Int64 = 1_700_000_000_000
    private let day: Int64 = 86_400_000

    private func form(_ budget: LinkBudget, _ use: LinkUse = LinkUse(), bytes: Int = 9000, code: Int = 8192, copies: Int = 1)
        -> LinkBudget.Form
    {
        budget.form(bytes: bytes, codeBytes: code, copies: copies, use: use, nowMilliseconds: now)
    }

    @Test func `without a budget everything goes as it is`() {
        #expect(form(LinkBudget()) == .asItIs)
        #expect(LinkBudget().isUnlimited && !LinkBudget(bytesPerDay: 0).isUnlimited)
    }

    @Test(arguments: [
        (9000, LinkBudget.Form.asItIs), (8999, .snippet(side: 4095)), (808 + 512, .snippet(side: 256)), (808 + 511, .signature),
        (0, .signature),
    ]) func `the largest form goes that there is room for`(_ room: Int, _ expected: LinkBudget.Form) {
        #expect(form(LinkBudget(bytesPerSecond: room)) == expected)
        #expect(form(LinkBudget(bytesPerDay: room)) == expected)
        #expect(form(LinkBudget(bytesPerSecond: 1 << 40, bytesPerDay: room)) == expected)
        #expect(form(LinkBudget(bytesPerDay: 2 * room), copies: 2) == expected, "it goes to two centers")
    }

    @Test func `a second is used up by what goes, and is free again when a link of that rate had carried it`() {
        let budget = LinkBudget(bytesPerSecond: 10_000)
        var use = LinkUse()
        use.add(9000, budget, nowMilliseconds: now)
        #expect(form(budget, use) == .signature)
        #expect(budget.form(bytes: 9000, codeBytes: 8192, copies: 1, use: use, nowMilliseconds: now + 500) == .snippet(side: 2596))
        #expect(budget.form(bytes: 9000, codeBytes: 8192, copies: 1, use: use, nowMilliseconds: now + 900) == .asItIs)
    }

    @Test func `a day is used up by what goes, and the next one is free`() {
        let budget = LinkBudget(bytesPerDay: 20_000)
        var use = LinkUse()
        for _ in 0..<2 {
            #expect(form(budget, use) == .asItIs)
            use.add(9000, budget, nowMilliseconds: now)
        }
        #expect(form(budget, use) == .snippet(side: 596))
        use.add(2000, budget, nowMilliseconds: now)
        #expect(form(budget, use) == .signature)
        #expect(use.bytes(onDayOf: now) == 20_000)
        #expect(use.bytes(onDayOf: now + day) == 0)
        #expect(budget.form(bytes: 9000, codeBytes: 8192, copies: 1, use: use, nowMilliseconds: now + day) == .asItIs)
    }

    /// A clock that jumps makes nothing small for long.
    @Test func `a clock that was ahead leaves the link busy for an hour at most`() {
        let budget = LinkBudget(bytesPerSecond: 10_000)
        var use = LinkUse()
        use.add(9000, budget, nowMilliseconds: now + 400 * day)
        #expect(form(budget, use) == .asItIs)
        use.add(1 << 40, budget, nowMilliseconds: now)
        #expect(budget.form(bytes: 9000, codeBytes: 8192, copies: 1, use: use, nowMilliseconds: now + 3_600_000) == .asItIs)
    }
}
