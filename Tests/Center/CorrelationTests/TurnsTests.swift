// SPDX-License-Identifier: Apache-2.0

import Correlation
import Testing

struct TurnsTests {
    @Test func `each has its first turn before anybody has a second`() {
        let items = ["a1", "a2", "a3", "b1", "c1", "b2"]
        #expect(Turns.order(items) { $0.first } == ["a1", "b1", "c1", "a2", "b2", "a3"])
        #expect(Turns.order([String]()) { $0 } == [])
    }

    @Test func `a source is the same by its name and by its machine`() {
        func source(_ reporter: String, _ machine: String?) -> ReportSource { ReportSource(reporter: reporter, machine: machine) }
        #expect(source("a", "m").isSame(as: source("a", "n")) && source("a", "m").isSame(as: source("b", "m")))
        #expect(!source("a", "m").isSame(as: source("b", "n")) && !source("a", nil).isSame(as: source("b", nil)))
    }
}
