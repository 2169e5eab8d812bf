// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing

@testable import Rendering

private let service = SignatureContext(transport: .udp, ports: [1434], direction: .toService)

func subject(_ signature: Signature) -> RuleInput {
    RuleInput(
        signature: signature, sid: 3_900_001, revision: 2, message: "a \"sample\"", createdMilliseconds: 1_700_000_000_000)
}

func token(_ pattern: String, _ gap: ClosedRange<Int>? = nil) throws -> Signature.Token {
    try #require(Signature.Token(pattern: pattern, gap: gap))
}

/// One text for each language, to the byte.
@Suite("Renderings") struct GoldenTests {
    private let snapshots = Snapshots(folder: "Tests/Rules/RenderingTests/Snapshots")

    private func sequence() throws -> Signature {
        Signature(tokens: [try token("0102030405??0607"), try token("08090a0b", 0...5)], context: service)
    }

    private func openSequence() throws -> Signature {
        Signature(tokens: [try token("01020304", 2...6), try token("05060708")], context: .any)
    }

    private func conjunction() throws -> Signature {
        Signature(tokens: [try token("21222324??25"), try token("0405060708")], arrangement: .conjunction, context: .any)
    }

    /// Compares a rendering with its snapshot, and checks its style.
    private func check(_ signature: Signature, _ language: RuleLanguage, _ snapshot: String) throws {
        let text = try language.rendering.render(subject(signature))
        #expect(snapshots.difference(text, from: snapshot) == nil)
        #expect(RuleStyle.findings(in: text, language: language) == [])
    }

    @Test func `a sequence is a Suricata rule`() throws {
        try check(sequence(), .suricata, "sequence.suricata.rules")
    }

    @Test func `a conjunction is a rule of Snort 2`() throws {
        try check(conjunction(), .snort2, "conjunction.snort2.rules")
    }

    @Test func `a sequence is a rule of Snort 3`() throws {
        try check(sequence(), .snort3, "sequence.snort3.rules")
    }

    @Test(arguments: [
        (RuleLanguage.suricata, "narrowed.suricata.rules"), (.snort2, "narrowed.snort2.rules"), (.snort3, "narrowed.snort3.rules"),
    ])
    func `a rule of an IDS is narrowed to the addresses of hosts`(_ language: RuleLanguage, _ snapshot: String) throws {
        var input = subject(try sequence())
        input.addresses = try ["192.0.2.1", "2001:db8::1"].map { try #require(IPAddress($0)) }
        let text = try language.rendering.render(input)
        #expect(snapshots.difference(text, from: snapshot) == nil)
        #expect(RuleStyle.findings(in: text, language: language) == [])
        let read = try RuleSyntax.check(text, language == .suricata ? .suricata : language == .snort2 ? .snort2 : .snort3)
        #expect(read.destinationAddresses == input.addresses)
    }

    @Test func `rules about data, and indicators for others, are not narrowed`() throws {
        for language in RuleLanguage.allCases where ![.suricata, .snort2, .snort3].contains(language) {
            var input = subject(try sequence())
            let general = try language.rendering.render(input)
            input.addresses = [try #require(IPAddress("192.0.2.1"))]
            #expect(try language.rendering.render(input) == general)
        }
    }

    @Test func `a sequence is one string of a YARA rule`() throws {
        try check(sequence(), .yara, "sequence.yar")
    }

    @Test func `each token of a conjunction is a string of a YARA rule`() throws {
        try check(conjunction(), .yara, "conjunction.yar")
    }

    @Test func `a sequence is an extended signature of ClamAV`() throws {
        try check(sequence(), .clamavNDB, "sequence.ndb")
    }

    @Test func `a sequence at an offset is an extended signature of ClamAV with that offset`() throws {
        try check(openSequence(), .clamavNDB, "open-sequence.ndb")
    }

    @Test func `a conjunction is a logical signature of ClamAV`() throws {
        try check(conjunction(), .clamavLDB, "conjunction.ldb")
    }

    @Test func `the pattern of a STIX indicator names protocol and ports`() throws {
        let pattern = try StixRendering.pattern(of: sequence())
        #expect(snapshots.difference(pattern, from: "sequence.stix-pattern") == nil)
    }

    @Test func `a conjunction is a STIX bundle of an indicator and its maker`() throws {
        try check(conjunction(), .stix, "conjunction.stix.json")
    }

    @Test func `several indicators are one STIX bundle`() throws {
        let text = try StixRendering.file(of: [subject(conjunction()), subject(sequence())])
        #expect(snapshots.difference(text, from: "two.stix.json") == nil)
        #expect(RuleStyle.findings(in: text, language: .stix) == [])
    }

    @Test func `a file for ClamAV says how it must be named`() throws {
        let text = try ClamAVLogicalRendering.file(of: [subject(conjunction()), subject(sequence())])
        #expect(snapshots.difference(text, from: "two.ldb") == nil)
    }

    @Test func `the identifier of a STIX indicator is a UUID of version 5`() throws {
        let version = Array(StixRendering.identifier(of: try conjunction().id))
        #expect(version[14] == "5" && "89ab".contains(version[19]))
    }

    @Test(arguments: [
        (RuleLanguage.yara, ["010203"]), (.yara, ["00000000"]), (.yara, ["01020304", "0506"]), (.clamavNDB, ["01??02??03"]),
        (.clamavLDB, ["01"]), (.snort2, [String(repeating: "01", count: 2048)]),
    ])
    func `a signature that a language cannot express is rejected`(_ language: RuleLanguage, _ patterns: [String]) throws {
        let signature = Signature(tokens: try patterns.map { try token($0) }, context: .any)
        let error = #expect(throws: EpitopeError.self) { try language.rendering.render(subject(signature)) }
        #expect(error?.code == .signatureUnrenderable)
    }

    @Test func `an extended signature of ClamAV cannot express a conjunction`() throws {
        let signature = try conjunction()
        let error = #expect(throws: EpitopeError.self) { try ClamAVExtendedRendering.render(subject(signature)) }
        #expect(error?.code == .signatureUnrenderable)
    }
}
