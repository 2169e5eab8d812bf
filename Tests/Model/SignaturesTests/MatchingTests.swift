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
}
