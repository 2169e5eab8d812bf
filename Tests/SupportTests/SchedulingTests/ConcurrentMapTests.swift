// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Scheduling

@Suite("A map on all processors")
struct ConcurrentMapTests {
    @Test(arguments: [0, 1, 3, 4, 5, 1000])
    func `gives each element's value in its place`(count: Int) {
        let words = (0..<count).map { "element \($0)" }
        #expect(words.concurrentMap { $0 + "!" } == words.map { $0 + "!" })
    }
}
