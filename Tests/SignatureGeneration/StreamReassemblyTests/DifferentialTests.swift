// SPDX-License-Identifier: Apache-2.0

import StreamReassembly
import TestSupport
import Testing

/// Generated flows of every shape, read by Epitope and by Suricata.
@Suite("Reassembly as Suricata's") struct DifferentialTests {
    private func found(in traffic: FlowTraffic) -> (found: Set<Int>, work: Int) {
        var reassembly = StreamReassembly()
        var found: Set<Int> = []
        for (number, frame) in traffic.frames.enumerated() {
            for stream in reassembly.add(frame, link: .ethernet, milliseconds: Int64(number)) {
                found.formUnion(traffic.found(in: stream.bytes))
            }
        }
        for stream in reassembly.finish() { found.formUnion(traffic.found(in: stream.bytes)) }
        return (found, reassembly.work)
    }

    @Test func `two thousand flows are put together as Suricata does but for the differences that are stated`() async throws {
        let traffic = FlowTraffic(count: 2000, seed: 1)
        let theirs = try await SuricataReading.alerts(on: traffic.capture, rules: traffic.rules)
        let outcome = traffic.compare(ours: found(in: traffic).found, theirs: Set(theirs.map { $0 - 1 }))
        #expect(outcome.differences.isEmpty)
        #expect(outcome.foundByBoth > 1600 && outcome.agreed + outcome.allowed.values.reduce(0, +) == 2000, "\(outcome)")
    }

    /// Without Suricata: what no receiver gets is not found, and everything else is.
    @Test(arguments: [UInt64(2), 3, 4]) func `all tokens are found but those that no receiver gets`(seed: UInt64) {
        let traffic = FlowTraffic(count: 800, seed: seed)
        let (found, work) = found(in: traffic)
        #expect(
            traffic.shapes(of: Set(traffic.flows.indices).subtracting(found)) == [
                "a reset in place, within the token", "a byte is missing within the token", "an urgent byte more within the token",
                "the token only in a segment with a wrong checksum",
            ])
        #expect(work < 10 * traffic.frames.reduce(0) { $0 + $1.count })
    }
}
