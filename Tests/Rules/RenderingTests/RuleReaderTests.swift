// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing

@testable import Rendering

/// Each language is read back as the signature that it was written from.
@Suite("Rules are read back") struct RuleReaderTests {
    /// - Parameter languages: those that can say the signature.
    private func expectBack(_ signature: Signature, _ languages: [RuleLanguage], sid: UInt32 = 3_900_001) throws {
        for language in languages {
            let input = RuleInput(signature: signature, sid: sid, sids: SIDRange.possible, createdMilliseconds: 1_700_000_000_000)
            let text = try language.rendering.file(of: [input])
            let read = try contents(of: text, language)
            #expect(read.refusals == [], "\(language): \(text)")
            #expect(read.rules.map(\.signature.id) == [signature.id], "\(language): \(text)")
            #expect(read.rules.map(\.isWhatItNames) == [true], "\(language): \(text)")
            // Files are searched whatever the context: YARA and ClamAV have none.
            let hasContext = ![.yara, .clamavNDB, .clamavLDB].contains(language)
            #expect(!hasContext || read.rules.first?.signature.context == signature.context, "\(language): \(text)")
        }
    }

    private func contents(of text: String, _ language: RuleLanguage) throws -> RuleReader.Contents {
        language == .stix ? try #require(RuleReader.indicators(inJSON: Array(text.utf8))) : RuleReader.rules(in: text)
    }

    private static let contexts = [
        SignatureContext.any, SignatureContext(transport: .udp, ports: [1434], direction: .toService),
        SignatureContext(transport: .tcp, ports: [80, 443], direction: .fromPeer),
        SignatureContext(transport: .tcp, ports: [], direction: .toService),
    ]

    @Test(arguments: contexts) func `a window is read back from every language`(_ context: SignatureContext) throws {
        try expectBack(Signature(tokens: [.init(bytes: Samples.callerWindow)], context: context), RuleLanguage.allCases)
    }

    @Test func `a signature about several kinds of traffic has a rule for each`() throws {
        let context = SignatureContext(uniting: Self.contexts.filter { $0.transport != nil })
        let signature = Signature(tokens: [.init(bytes: Samples.callerWindow), .init(bytes: [1, 2, 3, 4])], context: context)
        #expect(context.parts.count == 3)
        let input = RuleInput(signature: signature, sid: 3_900_001, createdMilliseconds: 0)
        let text = try SuricataRendering.render(input)
        let read = RuleReader.rules(in: text)
        #expect(read.refusals == [] && read.rules.map(\.signature.context) == context.parts)
        #expect(read.rules.allSatisfy { $0.signature.id == signature.id && $0.isWhatItNames })
        #expect(text.split(separator: "\n").map { $0.contains(" gid:") } == [false, true, true])
        #expect(try SuricataRule.rules(input).map(\.generator) == [1, 2, 3])
        // One pattern, of an observation for each.
        try expectBack(signature, [.stix])
        for snort in [RuleLanguage.snort2, .snort3] {
            let error = #expect(throws: EpitopeError.self) { try snort.rendering.render(input) }
            #expect(error?.code == .signatureUnrenderable)
            for part in input.parts { #expect(try !snort.rendering.render(part).isEmpty) }
        }
    }

    @Test func `a generator that no rule of Epitope has is refused`() throws {
        let rule = try SuricataRendering.render(
            RuleInput(
                signature: Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any), sid: 3_900_001, createdMilliseconds: 0))
        for generator in ["gid:1; ", "gid:0; ", "gid:02; ", "gid:9; ", "gid:x; "] {
            let error = #expect(throws: EpitopeError.self) {
                try RuleSyntax.check(rule.replacing("classtype:", with: generator + "classtype:"))
            }
            #expect(error?.code == .ruleMalformed)
        }
        #expect(try RuleSyntax.check(rule.replacing("classtype:", with: "gid:2; classtype:")).generator == 2)
    }

    @Test(arguments: contexts) func `masked tokens and gaps are read back from every language`(_ context: SignatureContext) throws {
        let tokens = [
            try token("0102030405??0607", 3...9), try token("08090a0b????0c0d0e0f", 0...5), try token("1011121314", 70...70),
            try token("1516171819", 0...0), try token("2021222324", 7...7),
        ]
        try expectBack(Signature(tokens: tokens, context: context), RuleLanguage.allCases)
        let open = [try token("0102030405??06"), try token("08090a0b0c"), try token("0e0f101112")]
        try expectBack(Signature(tokens: open, context: context), RuleLanguage.allCases)
    }

    @Test func `a conjunction with masked tokens is read back from every language that can say it`() throws {
        let tokens = [try token("2122232425??26"), try token("0405060708"), try token("31323334????353637")]
        let languages = RuleLanguage.allCases.filter { $0 != .clamavNDB }
        try expectBack(Signature(tokens: tokens, arrangement: .conjunction, context: .any), languages)
    }

    @Test func `a rule with a number of one's own is read back`() throws {
        let signature = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any)
        for sid in [1, 1_000_001, SIDRange.number(ofSignature: signature.id), .max] {
            try expectBack(signature, [.suricata, .snort2, .snort3], sid: sid)
        }
    }

    @Test func `random signatures are read back from whatever language can say them`() throws {
        var generator = SeededGenerator(seed: 4)
        var read: [RuleLanguage: Int] = [:]
        for _ in 0..<300 {
            let signature = RandomSignatureTests.signature(0...255, 24, &generator)
            for language in RuleLanguage.allCases {
                guard let text = try? language.rendering.render(subject(signature)) else { continue }
                let contents = try contents(of: text, language)
                #expect(contents.rules.map(\.signature.id) == [signature.id], "\(language): \(text) \(contents.refusals)")
                #expect(contents.rules.map(\.isWhatItNames) == [true])
                read[language, default: 0] += 1
            }
        }
        #expect(RuleLanguage.allCases.allSatisfy { (read[$0] ?? 0) > 50 }, "\(read)")
    }

    @Test func `a file may mix languages and has comments`() throws {
        let signature = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any)
        let files = try [RuleLanguage.suricata, .snort3, .yara, .clamavLDB].map { try $0.rendering.file(of: [subject(signature)]) }
        let text = "# ours\n\n" + files.joined(separator: "\n// and\r\n  ") + "\n\n"
        let contents = RuleReader.rules(in: text)
        #expect(contents.rules.map(\.language) == [.suricata, .snort3, .yara, .clamavLDB] && contents.refusals == [])
        #expect(Set(contents.rules.map(\.signature.id)) == [signature.id])
    }

    @Test(arguments: [
        "alert tcp any any -> any any (msg:\"theirs\"; content:\"x\"; sid:1; rev:1;)", "rule Theirs { condition: true }", "rule Epitope_0",
        "Their.Signature;Engine:81-255,Target:0;0;01020304", "Epitope.Signature-00-1;Engine:81-255,Target:0;0;01020304",
        "Epitope.Signature-00112233445566778899aabbccddeeff-1;Engine:81-255,Target:0;0|1;01020304;05060708",
        "Epitope.Signature-00112233445566778899aabbccddeeff-1;Engine:81-255,Target:0;0;0102{5-2}0304",
        "Epitope.Signature-00112233445566778899aabbccddeeff-1:0:x:01020304",
        "Epitope.Signature-00112233445566778899aabbccddeeff-1:1:*:01020304", "nonsense",
    ])
    func `a rule of another hand is named and not searched for`(_ rule: String) throws {
        let good = try SuricataRendering.render(subject(Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any)))
        let contents = RuleReader.rules(in: "\(good)\n\n\(rule)\n")
        #expect(contents.rules.count == 1)
        #expect(contents.refusals.map(\.place) == ["line 3"])
        #expect(contents.refusals.allSatisfy { !$0.reason.isEmpty })
    }

    @Test(arguments: [
        ("all of them", "any of them"), ("$t0 = {", "$a = {"), ("[1]", "[1-0]"), ("[1]", "[-]"), ("21222324", "2122g324"),
        ("strings:", "string:"), ("id = \"9", "id = \"8"),
    ])
    func `a YARA rule that was changed into another form is named and not searched for`(_ part: String, _ other: String) throws {
        let signature = Signature(
            tokens: [try token("21222324??25"), try token("0405060708")], arrangement: .conjunction, context: .any)
        let text = try YaraRendering.render(subject(signature))
        #expect(RuleReader.rules(in: text).rules.count == 1)
        let changed = RuleReader.rules(in: text.replacing(part, with: other))
        #expect(changed.rules == [] && changed.refusals.count == 1, "\(changed)")
    }

    @Test(arguments: [
        (" AND artifact", " OR artifact"), ("'(?s)", "'"), (".{1}", ".+"), ("artifact:payload_bin", "file:name"), ("[artifact", "artifact"),
        ("Epitope signature", "Their signature"),
    ])
    func `an indicator of another form is named and not searched for`(_ part: String, _ other: String) throws {
        let signature = Signature(
            tokens: [try token("21222324??25"), try token("0405060708")], arrangement: .conjunction, context: .any)
        let text = try StixRendering.render(subject(signature))
        let changed = try #require(RuleReader.indicators(inJSON: Array(text.replacing(part, with: other).utf8)))
        #expect(changed.rules == [] && changed.refusals.map { $0.place.hasPrefix("indicator--") } == [true], "\(changed)")
        #expect(RuleReader.indicators(inJSON: Array("{\"type\":\"malware\"}".utf8)) == nil)
    }

    @Test func `a rule whose bytes were changed is read as what it says and known to be another`() throws {
        let signature = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any)
        let text = try SuricataRendering.render(subject(signature)).replacing("|04 90 01", with: "|05 90 01")
        let read = try #require(RuleReader.rules(in: text).rules.first)
        #expect(!read.isWhatItNames && read.namedID == signature.id && read.signature.tokens.first?.bytes.first == 5)
    }

    @Test func `rules beyond the bounds of a signature are refused`() throws {
        let name = "Epitope.Signature-00112233445566778899aabbccddeeff-1"
        let many = (0...64).map { "010203" + Hex.encode([UInt8($0)]) }
        for body in [
            String(repeating: "01020304{5}", count: 2000) + "05", many.joined(separator: ";"), String(repeating: "01", count: 8193),
        ] {
            let count = body.split(separator: ";").count
            let text = "\(name);Engine:81-255,Target:0;\((0..<count).map(String.init).joined(separator: "&"));\(body)"
            #expect(RuleReader.rules(in: text).refusals.count == 1)
        }
    }
}

@Suite("Numbers of rules") struct SIDRangeTests {
    @Test func `a site's own numbers, the global center's and those without a center are none of each other's`() {
        #expect(!SIDRange.ofSite.overlaps(SIDRange.ofGlobalCenter))
        for range in [SIDRange.ofSite, SIDRange.ofGlobalCenter] {
            #expect(range.clamped(to: SIDRange.all) == range && !range.overlaps(SIDRange.withoutCenter))
            #expect(!range.contains(SIDRange.all.upperBound), "it is the number of a question to Suricata")
        }
    }

    @Test func `a number without a center is the signature's own and never a center's`() throws {
        var generator = SeededGenerator(seed: 9)
        var numbers: Set<UInt32> = []
        for _ in 0..<100 {
            let id = Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) })
            let number = SIDRange.number(ofSignature: id)
            #expect(SIDRange.withoutCenter.contains(number) && !SIDRange.all.contains(number))
            #expect(number == SIDRange.number(ofSignature: id))
            numbers.insert(number)
        }
        #expect(numbers.count >= 99)
    }

    @Test func `a number outside of the range that was asked for is refused`() throws {
        let signature = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any)
        let error = #expect(throws: EpitopeError.self) {
            try SuricataRendering.render(RuleInput(signature: signature, sid: 1_000_001, createdMilliseconds: 0))
        }
        #expect(error?.code == .sidOutOfRange)
        let rule = try SuricataRendering.render(
            RuleInput(signature: signature, sid: 1_000_001, sids: SIDRange.possible, createdMilliseconds: 0))
        #expect(throws: EpitopeError.self) { try RuleSyntax.check(rule) }
        #expect(try RuleSyntax.check(rule, sids: SIDRange.possible).sid == 1_000_001)
    }
}
