// SPDX-License-Identifier: Apache-2.0

import Testing

import Scheduling

@Suite("What waits is bounded, and reporters take turns")
struct FairQueueTests {
    private static let bounds = FairQueueBounds(rows: 32, bytes: 3200, share: 4, reserve: 4)

    /// Adds what may wait of so many.
    ///
    /// - Returns: how many were added.
    private func add(_ count: Int, of reporter: String, bytes: Int = 10, to queue: inout FairQueue<String>) -> Int {
        (0..<count).reduce(0) { added, number in
            guard queue.refusal(of: reporter, bytes: bytes) == nil else { return added }
            queue.add("\(reporter)\(number)", of: reporter, bytes: bytes)
            return added + 1
        }
    }

    @Test func `a flood of one keeps nobody else waiting`() {
        var queue = FairQueue<String>(Self.bounds)
        #expect(add(100, of: "a", to: &queue) == 8)
        #expect(queue.refusal(of: "a", bytes: 10) == .shareUsed)
        #expect(add(1, of: "b", to: &queue) == 1)
        #expect(add(2, of: "c", to: &queue) == 2)
        #expect(queue.take(maxRows: 6, maxBytes: 1000) == ["a0", "b0", "c0", "a1", "c1", "a2"])
    }

    @Test func `however many flood it, there is room for one who has nothing waiting`() {
        var queue = FairQueue<String>(Self.bounds)
        for flooder in ["a", "b", "c", "d"] { _ = add(100, of: flooder, to: &queue) }
        #expect(queue.count == 25)
        #expect(queue.refusal(of: "a", bytes: 10) == .shareUsed)
        #expect(queue.refusal(of: "d", bytes: 10) == .full)
        #expect(queue.refusal(of: "e", bytes: 10) == nil)
        #expect(add(2, of: "e", to: &queue) == 1)
        #expect(queue.refusal(of: "e", bytes: 10) == .full, "the rest is for others")
    }

    @Test func `what leaves has no place, and its holder no other turn`() {
        var queue = FairQueue<String>(Self.bounds)
        for reporter in ["a", "b", "c"] { _ = add(2, of: reporter, to: &queue) }
        #expect(queue.take(maxRows: 1, maxBytes: 1000) == ["a0"])
        #expect(queue.remove(of: "b") { $0 == "b1" } == "b1")
        #expect(queue.remove(of: "b") { $0 == "b1" } == nil && queue.remove(of: "d") { _ in true } == nil)
        #expect(queue.remove(of: "c") { _ in true } == "c0" && queue.remove(of: "c") { _ in true } == "c1")
        #expect(queue.count == 2 && queue.bytes == 20)
        for _ in 0..<10 {
            _ = add(1, of: "c", to: &queue)
            _ = queue.remove(of: "c") { _ in true }
        }
        _ = add(2, of: "c", to: &queue)
        #expect(queue.take(maxRows: 10, maxBytes: 1000) == ["b0", "a1", "c0", "c1"])
        #expect(queue.isEmpty && queue.bytes == 0)
    }

    @Test func `rows and bytes are bounded`() {
        var queue = FairQueue<String>(Self.bounds)
        for number in 0..<100 { _ = add(1, of: "\(number)-", to: &queue) }
        #expect(queue.count == 32 && queue.bytes == 320)
        #expect(queue.refusal(of: "new", bytes: 10) == .full)
        queue = FairQueue<String>(Self.bounds)
        #expect(add(100, of: "a", bytes: 500, to: &queue) == 1, "800 bytes are its share")
        for number in 0..<100 { _ = add(1, of: "\(number)-", bytes: 500, to: &queue) }
        #expect(queue.bytes == 3000)
    }

    @Test func `a group is bounded in bytes, but for one that is larger by itself`() {
        var queue = FairQueue<String>(Self.bounds)
        for reporter in ["a", "b", "c"] { _ = add(1, of: reporter, bytes: 700, to: &queue) }
        #expect(queue.take(maxRows: 10, maxBytes: 1400) == ["a0", "b0"])
        #expect(queue.take(maxRows: 10, maxBytes: 100) == ["c0"])
        #expect(queue.isEmpty && queue.bytes == 0)
    }

    @Test func `everything that was added is taken once, each reporter's in order`() {
        var queue = FairQueue<String>(FairQueueBounds(rows: 100_000, bytes: 1 << 30))
        var taken: [String] = []
        for round in 0..<500 {
            for reporter in 0..<(round % 7) { queue.add("\(reporter)/\(round)", of: "\(reporter)", bytes: 1) }
            taken += queue.take(maxRows: round % 5, maxBytes: 1000)
        }
        taken += queue.take(maxRows: .max, maxBytes: .max)
        #expect(queue.isEmpty && queue.bytes == 0)
        #expect(Set(taken).count == taken.count && taken.count == (0..<500).reduce(0) { $0 + $1 % 7 })
        for reporter in 0..<6 {
            let rounds = taken.filter { $0.hasPrefix("\(reporter)/") }.compactMap { Int($0.dropFirst(2)) }
            #expect(rounds == rounds.sorted())
        }
    }
}
