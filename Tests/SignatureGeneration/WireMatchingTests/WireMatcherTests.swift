// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing
import WireMatching

@Suite("Parts of code on the wire")
struct WireMatcherTests {
    private func random(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    @Test func `exactly the parts that crossed the network are found`() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<100 {
            let code = random(400, &generator)
            // The decoder crossed as it is, the rest encoded.
            let split = Int.random(in: 20...380, using: &generator)
            let lead = random(Int.random(in: 0...300, using: &generator), &generator)
            let stream = lead + code[..<split] + code[split...].map { $0 ^ 0x5a }
            let spans = WireMatcher(of: code).spans(in: stream)
            #expect(spans == [WireSpan(code: 0..<split, streamOffset: lead.count)])
        }
    }

    @Test func `every span is equal in code and stream`() {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<100 {
            let code = random(300, &generator)
            var stream: [UInt8] = []
            var planted = 0
            for _ in 0..<5 {
                let start = Int.random(in: 0..<250, using: &generator)
                let length = Int.random(in: 5...50, using: &generator)
                stream += random(30, &generator) + code[start..<start + length]
                planted = max(planted, length)
            }
            let spans = WireMatcher(of: code).spans(in: stream)
            for span in spans {
                #expect(Array(code[span.code]) == Array(stream[span.streamOffset..<span.streamOffset + span.code.count]))
                #expect(span.code.count >= 12)
            }
            if planted >= 12 { #expect((spans.map(\.code.count).max() ?? 0) >= planted) }
        }
    }

    @Test func `padding proves nothing`() {
        let code = [UInt8](repeating: 0x90, count: 200)
        #expect(WireMatcher(of: code).spans(in: [UInt8](repeating: 0x90, count: 5000)).isEmpty)
        let pairs = (0..<200).map { UInt8($0 % 4) }
        #expect(WireMatcher(of: pairs).spans(in: pairs + pairs).isEmpty)
    }

    @Test func `short inputs have no span`() {
        #expect(WireMatcher(of: []).spans(in: [1]).isEmpty)
        #expect(WireMatcher(of: Array(0..<11)).spans(in: Array(0..<11)).isEmpty)
        #expect(WireMatcher(of: Array(0..<12)).spans(in: Array(0..<12)).map(\.code) == [0..<12])
    }
}
