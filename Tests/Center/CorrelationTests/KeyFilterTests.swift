// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import Correlation

@Suite("A filter of keys")
struct KeyFilterTests {
    @Test func `no key that is there is told to be missing, however many came and went`() {
        var random = SeededGenerator(seed: 5)
        var filter = KeyFilter()
        var keys: [UInt64] = []
        for _ in 0..<200_000 {
            if keys.count > 30_000 {
                keys.swapAt(Int.random(in: keys.indices, using: &random), keys.count - 1)
                filter.remove(keys.removeLast())
            }
            keys.append(random.next())
            filter.add(keys[keys.count - 1])
        }
        #expect(keys.allSatisfy(filter.mayHold))
        // Of those that are not there, most are told.
        #expect((0..<10_000).count { _ in filter.mayHold(random.next()) } < 2500)
    }

    @Test func `a place that is full stays so`() {
        var filter = KeyFilter()
        for _ in 0..<300 { filter.add(7) }
        for _ in 0..<300 { filter.remove(7) }
        #expect(filter.mayHold(7))
    }
}
