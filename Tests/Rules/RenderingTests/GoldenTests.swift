// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
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

/// One text a language, to the byte.
@Suite struct GoldenRenderings {
    private func sequence() throws -> Signature {
        Signature(tokens: [try token("0102030405??0607"), try token("08090a0b", 0...5)], context: service)
    }

    private func conjunction() throws -> Signature {
        Signature(tokens: [try token("21222324??25"), try token("0405060708")], arrangement: .conjunction, context: .any)
    }

    private func check(_ text: String, _ language: RuleLanguage, _ signature: Signature) throws {
        let rendered = try language.rendering.render(subject(signature))
        #expect(rendered == text)
        #expect(RuleStyle.findings(in: rendered, language: language) == [])
    }

    @Test func `Suricata`() throws {
        let signature = try sequence()
        try check(
            #"alert udp any any -> any [1434] (msg:"a \"sample\""; dsize:>11; content:"|01 02 03 04 05|"; fast_pattern; content:"|06 07|"; distance:1; within:2; content:"|08 09 0A 0B|"; distance:0; within:9; metadata:epitope_signature \#(signature.id), created_at 2023_11_14, expires_at 2024_02_12, origin site; classtype:shellcode-detect; sid:3900001; rev:2;)"#,
            .suricata, signature)
    }

    @Test func `Snort 2`() throws {
        let signature = try conjunction()
        try check(
            #"alert ip any any -> any any (msg:"a \"sample\""; content:"|04 05 06 07 08|"; fast_pattern; content:"|21 22 23 24|"; content:"|25|"; distance:1; within:1; metadata:epitope_signature \#(signature.id), created_at 2023_11_14, expires_at 2024_02_12, origin site; classtype:shellcode-detect; sid:3900001; rev:2;)"#,
            .snort2, signature)
    }

    @Test func `Snort 3`() throws {
        let signature = try sequence()
        try check(
            #"alert udp any any -> any [1434] (msg:"a \"sample\""; dsize:>11; content:"|01 02 03 04 05|",fast_pattern; content:"|06 07|",distance 1,within 2; content:"|08 09 0A 0B|",distance 0,within 9; metadata:epitope_signature \#(signature.id), created_at 2023_11_14, expires_at 2024_02_12, origin site; classtype:shellcode-detect; sid:3900001; rev:2;)"#,
            .snort3, signature)
    }

    private func yara(_ id: String, _ strings: [String], _ condition: String) -> String {
        """
        rule Epitope_\(id)
        {
            meta:
                description = "a \\"sample\\""
                date = "2023-11-14"
                expires = "2024-02-12"
                id = "\(id)"
                revision = 2
                origin = "site"
            strings:
        \(strings.map { "        " + $0 }.joined(separator: "\n"))
            condition:
                \(condition)
        }
        """
    }

    @Test func `YARA sequence`() throws {
        let signature = try sequence()
        try check(yara(signature.id, ["$t0 = { 0102030405 [1] 0607 [0-5] 08090a0b }"], "$t0"), .yara, signature)
    }

    @Test func `YARA conjunction`() throws {
        let signature = try conjunction()
        try check(
            yara(signature.id, ["$t0 = { 0405060708 }", "$t1 = { 21222324 [1] 25 }"], "all of them"), .yara, signature)
    }

    @Test func `Clam AV`() throws {
        let signature = try sequence()
        try check("Epitope.Signature-\(signature.id)-2:0:*:0102030405??0607{0-5}08090a0b", .clamavNDB, signature)
        let open = Signature(tokens: [try token("01020304", 2...6), try token("05060708")], context: .any)
        try check("Epitope.Signature-\(open.id)-2:0:2,4:01020304*05060708", .clamavNDB, open)
        let all = try conjunction()
        try check("Epitope.Signature-\(all.id)-2;Engine:81-255,Target:0;0&1;0405060708;21222324??25", .clamavLDB, all)
    }

    @Test func `stix`() throws {
        let signature = try sequence()
        #expect(
            try StixRendering.pattern(of: signature)
                == #"[network-traffic:protocols[*] = 'udp' AND network-traffic:dst_port IN (1434) AND network-traffic:src_payload_ref.payload_bin MATCHES '(?s)\\x01\\x02\\x03\\x04\\x05.{1}\\x06\\x07.{0,5}?\\x08\\x09\\x0a\\x0b']"#
        )
        let all = try conjunction()
        try check(
            #"{"created":"2023-11-14T22:13:20.000Z","description":"a \"sample\"","id":"indicator--\#(StixRendering.identifier(of: all.id))","indicator_types":["malicious-activity"],"modified":"2023-11-14T22:13:20.000Z","name":"Epitope signature \#(all.id)","pattern":"[artifact:payload_bin MATCHES '(?s)\\\\x04\\\\x05\\\\x06\\\\x07\\\\x08' AND artifact:payload_bin MATCHES '(?s)\\\\x21\\\\x22\\\\x23\\\\x24.{1}\\\\x25']","pattern_type":"stix","spec_version":"2.1","type":"indicator","valid_from":"2023-11-14T22:13:20.000Z","valid_until":"2024-02-12T22:13:20.000Z"}"#,
            .stix, all)
        let version = Array(StixRendering.identifier(of: all.id))
        #expect(version[14] == "5" && "89ab".contains(version[19]))
    }

    @Test(arguments: [
        (RuleLanguage.yara, ["010203"]), (.yara, ["00000000"]), (.yara, ["01020304", "0506"]), (.clamavNDB, ["01??02??03"]),
        (.clamavLDB, ["01"]), (.snort2, [String(repeating: "01", count: 2048)]),
    ])
    func `what a language cannot say is refused`(_ language: RuleLanguage, _ patterns: [String]) throws {
        let signature = Signature(tokens: try patterns.map { try token($0) }, context: .any)
        let error = #expect(throws: EpitopeError.self) { try language.rendering.render(subject(signature)) }
        #expect(error?.code == .signatureUnrenderable)
    }

    @Test func `an extended signature of Clam AV knows no conjunction`() throws {
        let signature = try conjunction()
        let error = #expect(throws: EpitopeError.self) { try ClamAVExtendedRendering.render(subject(signature)) }
        #expect(error?.code == .signatureUnrenderable)
    }
}
