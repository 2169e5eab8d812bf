// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Testing

@testable import KernelBackend

/// An event's room is released only once its report was acknowledged, whatever the consumer reads ahead.
@Suite struct ReportStreamTests {
    private let detection = Detection(
        architecture: .x86_64, callersAddress: 1,
        region: MemoryRegion(start: 0, end: 4096, protection: [.read, .execute], backing: .anonymous),
        call: .connect, arguments: CallArguments(), evidence: [], code: ExtractedCode(base: 0, bytes: [], isWholeRegion: false),
        action: .watched, process: ProcessParameters(processID: 1, threadID: 1), timeMilliseconds: 0)

    @Test func `room is released up to the first unacknowledged report`() {
        var pending = PendingEvents()
        #expect(pending.settle(acknowledged: []) == nil)
        pending.add(10, report: nil)
        pending.add(20, report: 0)
        pending.add(30, report: nil)
        pending.add(40, report: 1)
        pending.add(50, report: nil)
        #expect(pending.settle(acknowledged: []) == 10)
        #expect(pending.settle(acknowledged: []) == nil)
        #expect(pending.settle(acknowledged: [0]) == 30)
        #expect(!pending.isEmpty)
        #expect(pending.settle(acknowledged: [1]) == 50)
        #expect(pending.isEmpty)
    }

    @Test func `acknowledgements may come in any order`() {
        var pending = PendingEvents()
        for number in 0..<3 { pending.add(UInt64(10 * (number + 1)), report: number) }
        #expect(pending.settle(acknowledged: [2]) == nil)
        #expect(pending.settle(acknowledged: [0]) == 10)
        #expect(pending.settle(acknowledged: [1]) == 30)
        #expect(pending.isEmpty)
    }

    @Test func `reading ahead acknowledges nothing`() async throws {
        let stream = ReportStream()
        #expect((0..<2).map { _ in stream.report(detection) } == [0, 1])
        var iterator = stream.reports.makeAsyncIterator()
        let first = try #require(await iterator.next())
        let second = try #require(await iterator.next())
        #expect(stream.takeAcknowledged().isEmpty)
        second.acknowledge()
        second.acknowledge()
        #expect(stream.takeAcknowledged() == [1])
        first.acknowledge()
        #expect(stream.takeAcknowledged() == [0])
        #expect(stream.takeAcknowledged().isEmpty)
    }

    @Test func `what was not received when the stream is cut stays for the next agent`() async throws {
        let stream = ReportStream()
        for _ in 0..<2 { _ = stream.report(detection) }
        var iterator = stream.reports.makeAsyncIterator()
        let first = try #require(await iterator.next())
        stream.finish()
        stream.cut()
        #expect(await iterator.next() == nil)
        first.acknowledge()
        #expect(stream.takeAcknowledged() == [0])
    }
}
