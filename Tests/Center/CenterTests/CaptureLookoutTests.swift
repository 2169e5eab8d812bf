// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CenterAnalysis

@Suite("Captures are looked at again")
struct CaptureLookoutTests {
    private let start = ContinuousClock.now

    @Test func `a cluster has a look after each pause, and no more`() {
        var lookout = CaptureLookout()
        #expect(lookout.wait(now: start) == nil)
        lookout.add(7, of: nil, now: start)
        var now = start
        for pause in CaptureLookout.pauses {
            #expect(lookout.wait(now: now) == pause)
            #expect(lookout.takeDue(now: now + pause - .milliseconds(1)) == [])
            now += pause
            #expect(lookout.takeDue(now: now) == [7])
        }
        #expect(lookout.wait(now: now) == nil)
        lookout.add(7, of: nil, now: now)
        #expect(lookout.wait(now: now) == CaptureLookout.pauses[0], "a later report begins anew")
    }

    @Test func `reports of an attack that is waited for don't put the looks off`() {
        var lookout = CaptureLookout()
        lookout.add(7, of: nil, now: start)
        lookout.add(7, of: nil, now: start + .milliseconds(900))
        #expect(lookout.takeDue(now: start + CaptureLookout.pauses[0]) == [7])
    }

    @Test func `what is found is not looked for again`() {
        var lookout = CaptureLookout()
        lookout.add(7, of: nil, now: start)
        lookout.remove(7)
        #expect(lookout.wait(now: start) == nil)
    }

    @Test func `one reporter does not take all of its room`() {
        var lookout = CaptureLookout()
        for cluster in 0..<Int64(CaptureLookout.maxClustersOfReporter + 5) { lookout.add(cluster, of: "host:host-1", now: start) }
        lookout.add(5000, of: "host:host-2", now: start)
        let due = lookout.takeDue(now: start + CaptureLookout.pauses[0])
        #expect(due.count == CaptureLookout.maxClustersOfReporter + 1 && due.last == 5000)
        lookout.add(5001, of: "host:host-1", now: start)
        #expect(lookout.takeDue(now: start + CaptureLookout.pauses[0]) == [], "its share is taken until its clusters had their looks")
    }

    @Test func `it is bounded`() {
        var lookout = CaptureLookout()
        for cluster in 0..<Int64(CaptureLookout.maxClusters + 5) { lookout.add(cluster, of: nil, now: start) }
        #expect(lookout.takeDue(now: start + CaptureLookout.pauses[0]).count == CaptureLookout.maxClusters)
    }
}
