// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Rendering
import Signatures
import Testing

@Suite("Rules that search a protocol's buffer") struct BufferRuleTests {
    private let tokens = [Signature.Token(bytes: Array(1...8)), Signature.Token(bytes: Array(11...14), gap: 2...6)]

    private func input(_ buffer: ProtocolBuffer, transport: TransportProtocol = .tcp) -> RuleInput {
        let context = SignatureContext(
            transport: transport, ports: [80], direction: buffer.isOfResponse ? .fromPeer : .toService, buffer: buffer)
        return RuleInput(
            signature: Signature(tokens: tokens, context: context), sid: 3_900_001, message: "m", createdMilliseconds: 1_700_000_000_000)
    }

    private static let contents = #"content:"|01 02 03 04 05 06 07 08|"; fast_pattern; content:"|0B 0C 0D 0E|"; distance:2; within:8; "#

    @Test(arguments: [
        (ProtocolBuffer.httpURI, "any -> any [80]", "to_server", "http.uri"),
        (.httpRequestBody, "any -> any [80]", "to_server", "http.request_body"),
        (.httpFormBody, "any -> any [80]", "to_server", "http.request_body; url_decode"),
        (.httpResponseBody, "[80] -> any any", "to_client", "http.response_body"),
        (.dnsQuery, "any -> any [80]", "to_server", "dns.query"),
    ])
    func `Suricata's rule names the buffer before the contents`(
        _ buffer: ProtocolBuffer, _ ports: String, _ side: String, _ keyword: String
    )
        throws
    {
        let text = try SuricataRendering.render(input(buffer))
        #expect(text.hasPrefix("alert tcp any \(ports) (msg:\"m\"; flow:established,\(side); \(keyword); \(Self.contents)metadata:"))
        #expect(try RuleSyntax.check(text).text == text)
        let read = RuleReader.rules(in: text)
        #expect(read.rules.map(\.signature.context) == [input(buffer).signature.context])
        #expect(read.rules.map(\.isWhatItNames) == [true])
    }

    @Test func `a datagram's rule in a buffer says nothing of its size`() throws {
        let text = try SuricataRendering.render(input(.dnsQuery, transport: .udp))
        #expect(text.hasPrefix("alert udp any any -> any [80] (msg:\"m\"; dns.query; content:"))
        #expect(try SuricataRule(input(.dnsQuery, transport: .udp)).canBeOverrun && SuricataRule(input(.httpURI)).canBeOverrun)
        for tampered in [
            text.replacing("dns.query; ", with: "dsize:>9; dns.query; "), text.replacing("dns.query", with: "http.uri"),
            text.replacing("dns.query", with: "file.data"),
        ] {
            #expect(throws: EpitopeError.self) { try RuleSyntax.check(tampered) }
        }
    }

    @Test func `Snort's rules name its own buffers, or there are none`() throws {
        let snort3 = [ProtocolBuffer.httpURI: "http_uri", .httpRequestBody: "http_client_body", .httpResponseBody: "file_data"]
        for buffer in ProtocolBuffer.allCases {
            guard let name = snort3[buffer] else {
                for language in [RuleLanguage.snort2, .snort3] {
                    let error = #expect(throws: EpitopeError.self) { try language.rendering.render(input(buffer)) }
                    #expect(error?.code == .signatureUnrenderable)
                }
                continue
            }
            let three = try Snort3Rendering.render(input(buffer))
            #expect(three.contains("; \(name); content:\"|01 02 03 04 05 06 07 08|\",fast_pattern; content:"))
            let two = try Snort2Rendering.render(input(buffer))
            let modified =
                #"content:"|01 02 03 04 05 06 07 08|"; fast_pattern; \#(name); content:"|0B 0C 0D 0E|"; distance:2; within:8; \#(name); metadata"#
            #expect(two.contains(buffer.isOfResponse ? "; file_data; \(Self.contents)metadata" : modified))
            for (text, language) in [(two, RuleLanguage.snort2), (three, .snort3)] {
                let read = RuleReader.rules(in: text).rules
                #expect(read.map(\.signature.context) == [input(buffer).signature.context] && read.map(\.language) == [language], "\(text)")
            }
        }
    }

    @Test func `languages about files search for the bytes, and STIX has no word for a buffer`() throws {
        #expect(try YaraRendering.render(input(.httpURI)).contains("0102030405060708"))
        let error = #expect(throws: EpitopeError.self) { try StixRendering.render(input(.httpURI)) }
        #expect(error?.code == .signatureUnrenderable)
    }

    @Test func `a signature that is searched in several places has a rule for each`() throws {
        let context = SignatureContext(transport: .tcp, ports: [80], direction: .toService).searched(in: [nil, .httpRequestBody])
        let rules = try SuricataRule.rules(
            RuleInput(signature: Signature(tokens: tokens, context: context), sid: 3_900_001, createdMilliseconds: 0))
        #expect(rules.map(\.buffer) == [nil, .httpRequestBody] && rules.map(\.generator) == [1, 2])
        #expect(rules[0].message.contains("at service tcp 80 or at service tcp 80 in http-request-body"))
    }
}
