// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CenterAnalysis

@Suite("Who sends what takes long to look at has smaller groups, and nobody waits longer")
struct GroupSizeTests {
    @Test func `a group that took long is followed by one that takes a moment`() {
        var size = GroupSize(most: 128)
        #expect(size.reports == 128)
        size.took(.seconds(2), for: 128)
        #expect(size.reports == 16)
        size.took(.milliseconds(240), for: 16)
        #expect(size.reports == 16)
    }

    @Test func `however long one takes, some are looked at together`() {
        var size = GroupSize(most: 128)
        size.took(.seconds(3600), for: 128)
        #expect(size.reports == GroupSize.least)
        size.took(.seconds(3600), for: 1)
        #expect(size.reports == GroupSize.least)
    }

    @Test func `groups grow again while they are full and quick`() {
        var size = GroupSize(most: 128)
        size.took(.seconds(60), for: 128)
        for expected in [8, 16, 32, 64, 128, 128] {
            size.took(.milliseconds(5), for: size.reports)
            #expect(size.reports == expected)
        }
    }

    @Test func `a group that was not full tells nothing of a larger one`() {
        var size = GroupSize(most: 128)
        size.took(.seconds(2), for: 128)
        size.took(.milliseconds(1), for: 3)
        size.took(.zero, for: 0)
        #expect(size.reports == 16)
    }
}
