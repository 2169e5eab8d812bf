// SPDX-License-Identifier: Apache-2.0

import Correlation
import Testing

@Suite("A quota is shared out by weight and by reporter")
struct FairQuotaTests {
    private let quota = FairQuota(limit: 3)
    private let day: Int64 = 86_400_000

    private func item(_ number: Int64, by reporters: String..., points: Int = 100) -> FairQuota.Item {
        FairQuota.Item(
            number: number, reporters: reporters.count, points: points, soleSource: reporters.count == 1 ? source(reporters[0]) : nil)
    }

    private func use(_ reporter: String?, at time: Int64 = 0) -> FairQuota.Use {
        FairQuota.Use(timeMilliseconds: time, soleSource: reporter.map(source))
    }

    /// A name, with the machine behind an `@` if it has one.
    private func source(_ text: String) -> ReportSource {
        let parts = text.split(separator: "@").map(String.init)
        return ReportSource(reporter: parts[0], machine: parts.count > 1 ? parts[1] : nil)
    }

    @Test func `one reporter's word takes one place of three`() {
        #expect(quota.admits(item(1, by: "a"), beside: []))
        #expect(!quota.admits(item(2, by: "a"), beside: [use("a")]))
        #expect(quota.admits(item(2, by: "b"), beside: [use("a")]))
    }

    @Test func `the names of one machine have one share, and so has one name on many machines`() {
        #expect(!quota.admits(item(2, by: "b@m"), beside: [use("a@m")]))
        #expect(!quota.admits(item(2, by: "a@n"), beside: [use("a@m")]))
        #expect(quota.admits(item(2, by: "b@n"), beside: [use("a@m")]))
        #expect(quota.admits(item(2, by: "b"), beside: [use("a")]), "what isn't known is no machine")
        let uses = [use("a@m"), use("b@m"), use("c@n")]
        #expect(Set(FairQuota(limit: 6).exhausted(by: uses).map(\.reporter)) == ["a", "b"])
        #expect(FairQuota(limit: 9).exhausted(by: uses + [use(nil)]).isEmpty)
    }

    @Test func `a share can be smaller`() {
        let quota = FairQuota(limit: 100, shares: 10)
        let uses = Array(repeating: use("a"), count: 10)
        #expect(quota.admits(item(1, by: "a"), beside: Array(uses.dropLast())) && !quota.admits(item(1, by: "a"), beside: uses))
        #expect(quota.admits(item(1, by: "b"), beside: uses))
    }

    @Test func `the last place is for what two say`() {
        let uses = [use("a"), use("b")]
        #expect(!quota.admits(item(3, by: "c"), beside: uses))
        #expect(quota.admits(item(3, by: "a", "b"), beside: uses))
        #expect(!quota.admits(item(4, by: "a", "b"), beside: uses + [use(nil)]))
    }

    @Test(arguments: [0, 1, 2, 3, 9, 100])
    func `the shares fit the limit`(limit: Int) {
        let quota = FairQuota(limit: limit)
        var uses: [FairQuota.Use] = []
        for reporter in 0..<200 {
            for _ in 0..<200 where quota.admits(item(1, by: "\(reporter)"), beside: uses) { uses.append(use("\(reporter)")) }
        }
        #expect(uses.count == limit - quota.reserve)
        while quota.admits(item(1, by: "a", "b"), beside: uses) { uses.append(use(nil)) }
        #expect(uses.count == limit)
    }

    @Test func `what weighs most is first`() {
        let items = [
            item(1, by: "a"), item(2, by: "a", points: 80), item(3, by: "a", "b"), item(4, by: "c"), item(5, by: "a", "b", "c"),
        ]
        #expect(FairQuota.inOrder(items).map(\.number) == [5, 3, 1, 4, 2])
    }

    @Test func `a place opens when enough uses are a day old`() {
        let uses = [use("a", at: 10), use("b", at: 20), use(nil, at: 30)]
        #expect(quota.opens(for: item(1, by: "a", "b"), uses: uses, windowMilliseconds: day) == 10 + day)
        #expect(quota.opens(for: item(1, by: "b"), uses: uses, windowMilliseconds: day) == 20 + day)
        #expect(FairQuota(limit: 0).opens(for: item(1, by: "b"), uses: [], windowMilliseconds: day) == nil)
    }
}
