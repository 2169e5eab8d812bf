// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing

@testable import Rendering

@Suite("Random signatures") struct RandomSignatureTests {
    /// - Parameter values: byte values to choose from; with few of them data matches by chance.
    static func signature(_ values: ClosedRange<UInt8>, _ maxBytes: Int, _ generator: inout SeededGenerator) -> Signature {
        let arrangement: Signature.Arrangement = Int.random(in: 0..<4, using: &generator) == 0 ? .conjunction : .sequence
        let tokens = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
            let bytes = (0..<Int.random(in: 1...maxBytes, using: &generator)).map { _ in UInt8.random(in: values, using: &generator) }
            let masked = bytes.indices.dropFirst().dropLast().filter { _ in Int.random(in: 0..<5, using: &generator) == 0 }
            let low = Int.random(in: 0...5, using: &generator)
            let gap = Bool.random(using: &generator) ? low...low + Int.random(in: 0...6, using: &generator) : nil
            return Signature.Token(bytes: bytes, masked: masked, gap: arrangement == .sequence ? gap : nil)
        }
        let transport: TransportProtocol? = [nil, .tcp, .udp].randomElement(using: &generator) ?? nil
        return Signature(
            tokens: tokens, arrangement: arrangement,
            context: transport.map { SignatureContext(transport: $0, ports: [53, 1434], direction: .toService) } ?? .any)
    }

    @Test func `random signatures are rendered in good style or rejected`() throws {
        var generator = SeededGenerator(seed: 1)
        var rendered: [RuleLanguage: Int] = [:]
        for _ in 0..<300 {
            let signature = Self.signature(0...255, 24, &generator)
            for language in RuleLanguage.allCases {
                do throws(EpitopeError) {
                    let text = try language.rendering.render(subject(signature))
                    rendered[language, default: 0] += 1
                    let findings = RuleStyle.findings(in: text, language: language)
                    #expect(findings == [], "\(language): \(text)")
                } catch {
                    let code = error.code
                    #expect(code == .signatureUnrenderable)
                }
            }
        }
        #expect(rendered[.suricata] == 300 && rendered[.stix] == 300)
        #expect((rendered[.yara] ?? 0) > 50 && (rendered[.clamavNDB] ?? 0) > 50 && (rendered[.clamavLDB] ?? 0) > 100)
    }

    @Test func `rendered Suricata rules are parsed into the same rules`() throws {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<300 {
            let rule = try SuricataRule(subject(Self.signature(0...255, 24, &generator)))
            #expect(try RuleSyntax.check(rule.text) == rule)
        }
    }

    /// Suricata's way to look at contents, by its manual: each behind the end of the one before, going back to try
    /// that one's next place.
    private func found(_ contents: ArraySlice<SuricataRule.Content>, _ data: [UInt8], after end: Int) -> Bool {
        guard let content = contents.first else { return true }
        var (low, high) = (0, data.count)
        switch content.placement {
        case .anywhere: break
        case .absolute(let offset, let depth): (low, high) = (offset, min(high, depth.map { offset + $0 } ?? high))
        case .relative(let distance, let within): (low, high) = (end + distance, min(high, within.map { end + distance + $0 } ?? high))
        }
        var place = low
        while place + content.bytes.count <= high {
            if data[place..<place + content.bytes.count].elementsEqual(content.bytes),
                found(contents.dropFirst(), data, after: place + content.bytes.count)
            {
                return true
            }
            place += 1
        }
        return false
    }

    @Test func `the contents of a rule match exactly where the signature does`() throws {
        var generator = SeededGenerator(seed: 3)
        var matches = 0
        for _ in 0..<2000 {
            let signature = Self.signature(0...1, 4, &generator)
            let rule = try SuricataRule(subject(signature))
            let data = (0..<Int.random(in: 1...40, using: &generator)).map { _ in UInt8.random(in: 0...1, using: &generator) }
            let isFound = data.count > (rule.dsizeAbove ?? 0) && found(rule.contents[...], data, after: 0)
            #expect(isFound == signature.matches(data), "\(signature) in \(data)")
            matches += isFound ? 1 : 0
        }
        #expect(matches > 500 && matches < 1900)
    }
}
