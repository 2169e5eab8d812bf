// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import Testing

@testable import Rendering

@Suite("The style of rules") struct RuleStyleTests {
    private func names(_ text: String, _ language: RuleLanguage) -> Set<String> {
        Set(RuleStyle.findings(in: text, language: language).map(\.name))
    }

    @Test(arguments: [
        ("sid:3900001", "sid:1", "sid"), ("rev:2", "rev:0", "rev"), (" fast_pattern;", "", "fast-pattern"),
        ("within:9", "within:3", "unmatchable"), ("any any -> any [1434]", "any any any [1434]", "header"),
        ("alert udp", "alert ip", "ports"), ("alert udp", "alert tcp", "flow"), ("|06 07|", "|06 0|", "content"),
        ("sid:3900001; rev:2;", "rev:2; sid:3900001;", "order"), ("msg:\"a", "gid:1; msg:\"a", "order"),
        ("metadata:", "metadata:x 1; metadata:", "once"), (";)", ")", "options"),
    ])
    func `a change to a Suricata rule that breaks its style is found`(_ part: String, _ replacement: String, _ finding: String) throws {
        let signature = Signature(
            tokens: [try token("0102030405??0607"), try token("08090a0b", 0...5)],
            context: SignatureContext(transport: .udp, ports: [1434], direction: .toService))
        let text = try SuricataRendering.render(subject(signature))
        #expect(names(text, .suricata) == [])
        #expect(names(text.replacing(part, with: replacement), .suricata).contains(finding))
    }

    @Test(arguments: [
        ("0102030405", "010203", "atom"), ("0102030405", "0000000000", "atom"), ("[0-5]", "[5-0]", "unmatchable"),
        ("[0-5]", "(1|2)", "strings"),
        ("        $t0\n", "        false\n", "condition"), ("rule Epitope", "rule 1Epitope", "name"), ("date = ", "data = ", "meta"),
    ])
    func `a change to a YARA rule that breaks its style is found`(_ part: String, _ replacement: String, _ finding: String) throws {
        let signature = Signature(tokens: [try token("0102030405"), try token("0607", 0...5)], context: .any)
        let text = try YaraRendering.render(subject(signature))
        #expect(names(text, .yara) == [])
        #expect(names(text.replacing(part, with: replacement), .yara).contains(finding))
    }

    @Test(arguments: [
        ("a:0:*:01??02", "anchor"), ("a b:0:*:0102", "name"), ("a:x:*:0102", "target"), ("a:0:y:0102", "offset"),
        ("a:0:*:0102{x}0304", "jump"), ("a:0:*:01g2", "bytes"), ("a:0102", "fields"),
    ])
    func `an extended signature of ClamAV in bad style is found`(_ text: String, _ finding: String) {
        #expect(names("a:0:*:0102{0-3}0304*0506??07", .clamavNDB) == [])
        #expect(names(text, .clamavNDB).contains(finding))
    }

    @Test(arguments: [
        ("a;Engine:81-255,Target:0;0;0102;0304", "expression"), ("a;Target:0;0&1;0102;0304", "engine"),
        ("a;Engine:81-255;0;0102", "target"), ("a;0102", "fields"),
        ("a;Engine:81-255,Target:0;0;" + Array(repeating: "0102", count: 65).joined(separator: ";"), "subsignatures"),
    ])
    func `a logical signature of ClamAV in bad style is found`(_ text: String, _ finding: String) {
        #expect(names("a;Engine:81-255,Target:0;0&1;0102;4:0304", .clamavLDB) == [])
        #expect(names(text, .clamavLDB).contains(finding))
    }

    @Test(arguments: [
        ("\"indicator\"", "\"malware\"", "type"), ("indicator--", "x--", "id"), ("2024-02-12", "2023-02-12", "time"),
        ("MATCHES", "=", "pattern"), ("{", "", "properties"),
    ])
    func `a change to a STIX indicator that breaks its form is found`(_ part: String, _ replacement: String, _ finding: String) throws {
        let text = try StixRendering.render(subject(Signature(tokens: [try token("01020304")], context: .any)))
        #expect(names(text, .stix) == [])
        #expect(names(text.replacing(part, with: replacement), .stix).contains(finding))
    }
}

@Suite("The cost of a signature") struct SignatureCostTests {
    @Test(arguments: [
        ("0102030405??0607", 5, 2, true), ("010203??040506", 3, 2, false), ("0000000000", 5, 1, false),
        ("474554202f20485454502f312e31", 14, 1, false),
    ])
    func `the cost of a signature is that of its fast pattern`(_ pattern: String, _ length: Int, _ contents: Int, _ isCheap: Bool) throws {
        let cost = SignatureCost(of: Signature(tokens: [try token(pattern)], context: .any))
        #expect(cost.fastPatternLength == length)
        #expect(cost.contents == contents)
        #expect(cost.isCheap == isCheap)
    }
}
