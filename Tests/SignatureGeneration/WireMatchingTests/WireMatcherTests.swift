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

/// A sled is ordinary, and found at every place of a stream of fill.
@Suite("Cost of the search on the wire") struct WireMatcherWorkTests {
    private func work(_ code: [UInt8], _ stream: [UInt8]) -> (perByte: Double, spans: [WireSpan]) {
        let found = WireMatcher(of: code).search(stream)
        return (Double(found.work) / Double(stream.count), found.spans)
    }

    private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 16, 100]) func `a sled in a stream of the same`(period: Int) {
        let fill = bytes(period, seed: UInt64(period))
        func repeated(_ count: Int) -> [UInt8] { (0..<count).map { fill[$0 % period] } }
        let shell = bytes(200, seed: 9)
        let (found, spans) = work(repeated(8192) + shell, repeated(256 << 10) + shell + repeated(256 << 10))
        #expect(found < 100)
        // The code behind the sled is found all the same.
        #expect(spans.contains { $0.code.upperBound == 8192 + 200 && $0.code.count >= 200 })
    }

    @Test func `many short runs`() {
        let code = bytes(8192, seed: 1)
        // Every twelve bytes of the code, each followed by another byte.
        let stream = (0..<20_000).flatMap { number in
            let start = number * 7 % (code.count - 12)
            return code[start..<start + 12] + [code[start + 12] ^ 1]
        }
        let (found, spans) = work(code, stream)
        #expect(found < 100 && spans.count > 400)
    }
}
