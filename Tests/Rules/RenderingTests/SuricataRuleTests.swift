// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Rendering
import Signatures
import TestSupport
import Testing

private let service = SignatureContext(transport: .udp, ports: [1434], direction: .toService)

private func rule(
    _ tokens: [Signature.Token], _ context: SignatureContext = service, action: SuricataRule.Action = .drop,
    message: String = "sample", sid: UInt32 = 3_900_001, revision: Int = 2
) throws(EpitopeError) -> SuricataRule {
    try SuricataRule(
        RuleInput(
            signature: Signature(tokens: tokens, context: context), sid: sid, revision: revision, message: message,
            createdMilliseconds: 1_700_000_000_000), action: action)
}

@Suite("Suricata rules") struct SuricataRuleTests {
    @Test func `the caller window of a service becomes this rule`() throws {
        let text = try rule([.init(bytes: Samples.callerWindow)]).text
        let id = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any).id
        #expect(
            text
                == #"drop udp any any -> any [1434] (msg:"sample"; dsize:>31; content:"|04 90 01 D8 89 45 B4 6A 10 8D 45 B0 50 31 C9 51 66 81 F1 78 01 51 8D 45 03 50 8B 45 AC 50 FF D6|"; fast_pattern; metadata:epitope_signature \#(id), created_at 2023_11_14, expires_at 2024_02_12, origin site; classtype:shellcode-detect; sid:3900001; rev:2;)"#
        )
    }

    @Test func `gaps become distance and within of whole tokens`() throws {
        let text = try rule(
            [.init(bytes: [1, 2, 3], gap: 4...10), .init(bytes: [4, 5, 6, 7], gap: 0...5), .init(bytes: [8, 9])], .any
        ).text
        #expect(
            text.contains(
                #"content:"|01 02 03|"; offset:4; depth:9; content:"|04 05 06 07|"; distance:0; within:9; fast_pattern; content:"|08 09|"; distance:0; metadata:"#
            ))
    }

    @Test func `masked positions become exact distances`() throws {
        let token = try #require(Signature.Token(pattern: "0102????030405??06"))
        let text = try rule([token, .init(bytes: [9, 8], gap: 2...4)], .any).text
        #expect(
            text.contains(
                #"content:"|01 02|"; content:"|03 04 05|"; distance:2; within:3; fast_pattern; content:"|06|"; distance:1; within:1; content:"|09 08|"; distance:2; within:4; metadata:"#
            ))
        #expect(try RuleSyntax.check(text).text == text)
    }

    @Test func `the tokens of a conjunction may be anywhere`() throws {
        let tokens = try ["0102??03", "0405060708"].map { try #require(Signature.Token(pattern: $0)) }
        let rule = try SuricataRule(
            RuleInput(
                signature: Signature(tokens: tokens, arrangement: .conjunction, context: service), sid: 3_900_001,
                message: "sample", createdMilliseconds: 0))
        #expect(
            rule.text.contains(
                #"dsize:>4; content:"|01 02|"; content:"|03|"; distance:1; within:1; content:"|04 05 06 07 08|"; fast_pattern; metadata:"#))
        #expect(try RuleSyntax.check(rule.text) == rule)
    }

    @Test func `the fast pattern is the rarest run`() throws {
        let signature = Signature(tokens: [.init(bytes: [1, 2, 3, 4, 5]), .init(bytes: [6, 7, 8])], context: .any)
        let rule = try SuricataRule(
            RuleInput(signature: signature, sid: 3_900_001, message: "sample", createdMilliseconds: 0),
            rarity: PatternSpecificity { run in Double(run.contains(7) ? 60 : 10) })
        #expect(rule.contents.map(\.isFastPattern) == [false, true])
    }

    @Test(arguments: [
        (
            SignatureContext(transport: .tcp, ports: [80, 443], direction: .toService),
            #"tcp any any -> any [80,443] (msg:"sample"; flow:established,to_server; content"#
        ),
        (
            SignatureContext(transport: .tcp, ports: [80], direction: .fromPeer),
            #"tcp any [80] -> any any (msg:"sample"; flow:established,to_client; content"#
        ),
        (
            SignatureContext(transport: .tcp, ports: [80], direction: .any),
            #"tcp any any -> any any (msg:"sample"; flow:established; content"#
        ),
        (
            SignatureContext(transport: .udp, ports: [53], direction: .fromPeer),
            #"udp any [53] -> any any (msg:"sample"; dsize:>2; content"#
        ),
        (SignatureContext.any, #"ip any any -> any any (msg:"sample"; content"#),
    ])
    func `the context decides the header`(_ context: SignatureContext, _ header: String) throws {
        let text = try rule([.init(bytes: [1, 2, 3])], context, action: .alert).text
        #expect(text.hasPrefix("alert \(header)"))
        #expect(try RuleSyntax.check(text).text == text)
    }

    @Test(arguments: [
        (SignatureContext(transport: .tcp, ports: [80], direction: .toService), "tcp any any -> [192.0.2.1] [80] ("),
        (SignatureContext(transport: .tcp, ports: [80], direction: .fromPeer), "tcp any [80] -> [192.0.2.1] any ("),
        (SignatureContext.any, "ip any any -> [192.0.2.1] any ("),
    ])
    func `whichever side the attack came from, it came to the host that reported it`(_ context: SignatureContext, _ header: String) throws {
        let signature = Signature(tokens: [.init(bytes: [1, 2, 3])], context: context)
        let general = update(of: signature, narrowedTo: nil)
        let narrowed = update(of: signature, narrowedTo: ["192.0.2.1"])
        let text = try #require(try SuricataRule.rules(RuleInput(RuleAssignment(sid: 3_900_001, update: narrowed))).first).text
        #expect(text.hasPrefix("alert \(header)"))
        #expect(try RuleSyntax.check(text).text == text)
        // Otherwise it is the rule for the whole site, in its shape as well.
        let whole = try SuricataRule(RuleInput(RuleAssignment(sid: 3_900_001, update: general)))
        #expect(text.replacing("[192.0.2.1]", with: "any") == whole.text)
        #expect(try RuleShape(RuleSyntax.check(text)) == RuleShape(whole))
        for bad in ["[192.0.2.01]", "[192.0.2.1,]", "[]", "[$HOME_NET]", "192.0.2.1", "![192.0.2.1]", "[192.0.2.0/24]"] {
            #expect(throws: EpitopeError.self, "\(bad)") { try RuleSyntax.check(text.replacing("[192.0.2.1]", with: bad)) }
        }
    }

    private func update(of signature: Signature, narrowedTo addresses: [String]?) -> SignatureUpdate {
        var update = SignatureUpdate(
            signature: signature, revision: 1, origin: .site, createdMilliseconds: 0, lifetimeDays: 1, proof: Proof(checks: []))
        update.support = EvidenceSupport(
            grade: .reported, reporters: 1, points: 100, threshold: 100, packets: [], isEnoughToDrop: false,
            narrowedTo: addresses?.compactMap { IPAddress($0) })
        return update
    }

    @Test func `a message cannot end its string`() throws {
        let text = try rule([.init(bytes: [1])], message: "a\";b:\\c\n\u{e9}").text
        #expect(text.contains(#"msg:"a\"\;b\:\\c ?"; dsize:>0; content"#))
        #expect(try RuleSyntax.check(text).message == "a\";b:\\c ?")
    }

    @Test func `a rule that is longer than Suricata reads is rejected`() {
        let error = #expect(throws: EpitopeError.self) { try rule([.init(bytes: [UInt8](repeating: 7, count: 3000))]) }
        #expect(error?.code == .ruleTooLong)
    }

    @Test(arguments: [UInt32(1_000_000), 3_899_999, 4_000_000])
    func `a sid outside of the range is rejected`(_ sid: UInt32) {
        let error = #expect(throws: EpitopeError.self) { try rule([.init(bytes: [1])], sid: sid) }
        #expect(error?.code == .sidOutOfRange)
    }

    @Test(arguments: [[], [Signature.Token(bytes: [])], [.init(bytes: [1]), .init(bytes: [2], gap: 2_000_000...2_000_001)]])
    func `a signature that the rule language cannot express is rejected`(_ tokens: [Signature.Token]) {
        let error = #expect(throws: EpitopeError.self) { try rule(tokens) }
        #expect(error?.code == .signatureUnrenderable)
    }

    @Test func `a text that differs from a rendered rule is malformed`() throws {
        let good = try rule([.init(bytes: [1, 2, 3]), .init(bytes: [4, 5], gap: 0...8)]).text
        #expect(throws: Never.self) { try RuleSyntax.check(good) }
        let bad =
            (0..<good.count).map { String(good.prefix($0)) } + [
                good + " ", good.replacing("rev:2", with: "rev:02"), good.replacing("drop", with: "pass"),
                good.replacing("any any ->", with: "$HOME_NET any ->"), good.replacing("|04 05|", with: "|04 5|"),
                good.replacing("within:10", with: "within:1"), good.replacing("fast_pattern; ", with: ""),
                good.replacing("3900001", with: "1"),
            ]
        for text in bad {
            let error = #expect(throws: EpitopeError.self, "\(text)") { try RuleSyntax.check(text) }
            #expect(error?.code == .ruleMalformed)
        }
    }

    @Test func `rules of one shape differ only in bytes, numbers and texts`() throws {
        let one = RuleShape(try rule([.init(bytes: [1, 2, 3])]))
        let other = SignatureContext(transport: .udp, ports: [1, 2], direction: .toService)
        #expect(one == RuleShape(try rule([.init(bytes: [9, 9])], other, message: "x", sid: 3_900_002, revision: 1)))
        #expect(one != RuleShape(try rule([.init(bytes: [1, 2, 3])], .any)))
        #expect(one != RuleShape(try rule([.init(bytes: [1, 2, 3]), .init(bytes: [4])])))
    }

    @Test func `a rules file is parsed into its rules`() throws {
        let rules = [try rule([.init(bytes: [1, 2])], sid: 3_900_002), try rule([.init(bytes: [3, 4])], sid: 3_900_001)]
        let text = RulesFileText.render(rules)
        #expect(text.hasPrefix("# Written by Epitope."))
        #expect(RulesFileText.rules(in: text + "alert tcp any any -> any any (sid:1;)\n").map(\.sid) == [3_900_001, 3_900_002])
    }

    @Test(arguments: [
        (Int64(0), "1970_01_01"), (-1, "1969_12_31"), (951_782_400_000, "2000_02_29"), (4_107_542_399_999, "2100_02_28"),
        (Int64.max, "9999_12_31"), (Int64.min, "0000_01_01"),
    ])
    func `dates are days in UTC`(_ milliseconds: Int64, _ text: String) {
        #expect(CalendarDay(ofMilliseconds: milliseconds).text(separator: "_") == text)
    }
}
