// SPDX-License-Identifier: Apache-2.0

import Signatures
import Testing

@Suite("Matching against trying every layout")
struct MatchingTests {
    /// The definition, tried place by place.
    private func matches(_ tokens: ArraySlice<Signature.Token>, _ data: [UInt8], from end: Int) -> Bool {
        guard let token = tokens.first else { return true }
        let bounds = token.gap ?? 0...data.count
        for place in 0...data.count where bounds.contains(place - end) && holds(token, data, at: place) {
            if matches(tokens.dropFirst(), data, from: place + token.bytes.count) { return true }
        }
        return false
    }

    private func holds(_ token: Signature.Token, _ data: [UInt8], at place: Int) -> Bool {
        place + token.bytes.count <= data.count
            && token.bytes.indices.allSatisfy { token.masked.contains($0) || data[place + $0] == token.bytes[$0] }
    }

    @Test func `sequences match exactly what their definition says`() {
        var random = RandomSignatures(seed: 1)
        var matched = 0
        for _ in 0..<4000 {
            let signature = random.signature()
            let data = random.bytes(Int.random(in: 0...24, using: &random.generator))
            let expected = matches(signature.tokens[...], data, from: 0)
            #expect(signature.matches(data) == expected, "\(signature) in \(data)")
            matched += expected ? 1 : 0
        }
        #expect((400...3600).contains(matched), "both verdicts are tried often: \(matched)")
    }

    @Test func `conjunctions need every token anywhere`() {
        var random = RandomSignatures(seed: 2)
        var matched = 0
        for _ in 0..<2000 {
            let signature = random.signature(.conjunction)
            let data = random.bytes(Int.random(in: 0...24, using: &random.generator))
            let expected = signature.tokens.allSatisfy { token in (0...data.count).contains { holds(token, data, at: $0) } }
            #expect(signature.matches(data) == expected, "\(signature) in \(data)")
            matched += expected ? 1 : 0
        }
        #expect((200...1800).contains(matched), "both verdicts are tried often: \(matched)")
    }

    @Test func `a match has the range of its tokens`() {
        let signature = Signature(
            tokens: [.init(bytes: [1, 0, 3], masked: [1]), .init(bytes: [5], gap: 2...2)], context: .any)
        let data: [UInt8] = [9, 1, 7, 3, 0, 0, 5, 9]
        #expect(data.withUnsafeBytes { signature.match(in: $0) } == 1..<7)
    }

    @Test func `many repeats take one pass for each token`() {
        // Trying every layout of these would never end.
        let signature = Signature(
            tokens: Array(repeating: .init(bytes: [1], gap: 0...65535), count: 32) + [.init(bytes: [2], gap: 0...9)], context: .any)
        #expect(!signature.matches(Array(repeating: 1, count: 8192)))
    }

    /// Decoys of the first token, each with places for the next in reach: of none more than two places are kept.
    @Test(
        arguments: [
            (["0000", "deadbeefcafebabe0102030405060708"], 0...60), (["0000", "000001"], 0...0), (["00", "0000", "000000", "0001"], 3...9),
            (["00000000000000000000000001"], nil), (["00??00??00??01"], nil),
        ] as [([String], ClosedRange<Int>?)])
    func `the steps for a byte don't grow with the data`(patterns: [String], gap: ClosedRange<Int>?) throws {
        let tokens = try patterns.enumerated().map { try #require(Signature.Token(pattern: $1, gap: $0 == 0 ? nil : gap)) }
        let matcher = SignatureMatcher(Signature(tokens: tokens, context: .any))
        let masked = tokens.filter { !$0.masked.isEmpty }.reduce(0) { $0 + $1.bytes.count }
        for count in [1000, 64_000] {
            let zeros = [UInt8](repeating: 0, count: count)
            let (range, steps) = zeros.withUnsafeBytes { matcher.matchCountingSteps(in: $0) }
            #expect(range == nil)
            #expect(steps <= count * (tokens.count + masked), "\(steps) steps for \(count) bytes")
        }
    }

    @Test func `all places of a run are found, overlapping ones too, and those before a place left out`() {
        var random = RandomSignatures(seed: 3)
        for _ in 0..<3000 {
            let run = random.bytes(Int.random(in: 1...6, using: &random.generator), alphabet: 2)
            let data = random.bytes(Int.random(in: 0...60, using: &random.generator), alphabet: 2)
            let expected = data.indices.filter { $0 + run.count <= data.count && data[$0..<$0 + run.count].elementsEqual(run) }
            let skipped = Int.random(in: 0...70, using: &random.generator)
            let after = Int.random(in: 0...4, using: &random.generator)
            data.withUnsafeBytes { data in
                var places = RunPlaces(of: RunSearch(run), in: data)
                var found: [Int] = []
                while let place = places.next() {
                    found.append(place)
                    if found.count == after { places.skip(to: skipped) }
                }
                let kept = expected.enumerated().filter { $0.offset < after || after == 0 || $0.element >= skipped }.map(\.element)
                #expect(found == kept, "\(run) in \(Array(data)), from \(skipped) on after \(after)")
            }
        }
    }

    @Test func `tokens with masked positions are short, others as long as code`() throws {
        func isWellFormed(_ lengths: [Int], masked: Bool) -> Bool {
            Signature(tokens: lengths.map { .init(bytes: Array(repeating: 1, count: $0), masked: masked ? [1] : []) }, context: .any)
                .isWellFormed
        }
        #expect(isWellFormed([512], masked: true) && !isWellFormed([513], masked: true) && !isWellFormed([300, 213], masked: true))
        #expect(isWellFormed([Signature.maxBytes], masked: false))
    }
}
