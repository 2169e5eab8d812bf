// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import Testing

@Suite("One signature has one canonical form")
struct CanonicalFormTests {
    private func token(_ pattern: String, _ gap: ClosedRange<Int>? = nil) throws -> Signature.Token {
        try #require(Signature.Token(pattern: pattern, gap: gap))
    }

    private func signature(_ tokens: [Signature.Token], _ arrangement: Signature.Arrangement = .sequence) -> Signature {
        Signature(tokens: tokens, arrangement: arrangement, context: .any)
    }

    @Test func `tokens at one fixed distance are one masked token`() throws {
        let two = signature([try token("31c0"), try token("68", 2...2)])
        let one = signature([try token("31c0????68")])
        #expect(two.canonical == one.canonical)
        #expect(two.id == one.id)
        #expect(two.canonical.description == "31c0????68")
    }

    @Test func `a token begins and ends with fixed bytes`() throws {
        #expect(try token("????31??c0??") == token("31??c0"))
        #expect(try token("????").bytes.isEmpty)
    }

    @Test func `a long masked run splits a token in two`() {
        let long = Signature.Token(bytes: Array(repeating: 7, count: 80), masked: 2..<78)
        #expect(signature([long]).canonical.tokens.map(\.bytes) == [[7, 7], [7, 7]])
        #expect(signature([long]).canonical.tokens[1].gap == 76...76)
    }

    @Test func `the order of a conjunction does not matter`() throws {
        let (a, b) = (try token("0102"), try token("030405"))
        #expect(signature([a, b], .conjunction).id == signature([b, a, b], .conjunction).id)
        #expect(signature([a, b], .conjunction).id != signature([a, b]).id)
        #expect(signature([a], .conjunction).id == signature([a]).id)
    }

    @Test func `the canonical form matches the same data`() {
        var random = RandomSignatures(seed: 3)
        for round in 0..<3000 {
            let signature = random.signature(round % 2 == 0 ? .sequence : .conjunction)
            let canonical = signature.canonical
            #expect(canonical.canonical == canonical)
            for _ in 0..<4 {
                let data = random.bytes(Int.random(in: 0...20, using: &random.generator))
                #expect(signature.matches(data) == canonical.matches(data), "\(signature) / \(canonical) in \(data)")
            }
        }
    }

    @Test func `patterns are parsed as they are written`() throws {
        #expect(try token("31c0??68").pattern == "31c0??68")
        #expect(try token("31 c0 ?? 68").pattern == "31c0??68")
        #expect(Signature.Token(pattern: "31c") == nil)
        #expect(Signature.Token(pattern: "3?c0") == nil)
        #expect(Signature.Token(pattern: "zz") == nil)
    }
}

@Suite("Containment and merging")
struct ContainmentTests {
    @Test func `a signature that covers another matches all data of the other`() {
        var random = RandomSignatures(seed: 4)
        var covering = 0
        for round in 0..<20000 {
            let one = random.signature(round % 3 == 0 ? .conjunction : .sequence)
            let two = random.signature(round % 5 == 0 ? .conjunction : .sequence)
            guard one.covers(two) else { continue }
            covering += 1
            for _ in 0..<40 {
                let data = random.bytes(20)
                if two.matches(data) { #expect(one.matches(data), "\(one) covers \(two), \(data)") }
            }
        }
        #expect(covering > 100, "\(covering)")
    }

    @Test func `every signature covers itself`() {
        var random = RandomSignatures(seed: 5)
        for round in 0..<2000 {
            let signature = random.signature(round % 2 == 0 ? .conjunction : .sequence)
            #expect(signature.covers(signature), "\(signature)")
        }
    }

    @Test func `a narrower context does not cover a wider one`() {
        let tokens = [Signature.Token(bytes: Array(0..<32))]
        let narrow = Signature(tokens: tokens, context: SignatureContext(transport: .udp, ports: [53], direction: .toService))
        let wide = Signature(tokens: tokens, context: .any)
        #expect(wide.covers(narrow))
        #expect(!narrow.covers(wide))
    }

    @Test func `merging masks what differs and covers both`() throws {
        var random = RandomSignatures(seed: 6)
        var merged = 0
        for _ in 0..<4000 {
            let (one, two) = (random.signature(), random.signature())
            guard let both = one.merged(with: two) else { continue }
            merged += 1
            #expect(both.covers(one), "\(both) of \(one) and \(two)")
            #expect(both.covers(two), "\(both) of \(one) and \(two)")
        }
        #expect(merged > 20, "\(merged)")
        let first = Signature(tokens: [.init(bytes: [1, 2, 3, 4])], context: .any)
        #expect(first.merged(with: Signature(tokens: [.init(bytes: [1, 9, 3, 4])], context: .any))?.description == "01??0304")
        #expect(first.merged(with: Signature(tokens: [.init(bytes: [1, 2, 3])], context: .any)) == nil)
    }
}
