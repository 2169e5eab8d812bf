// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Rendering
import SignatureMaking
import Signatures
import TestSupport
import Testing

@testable import SignatureProving

/// What a proof says of code that came in HTTP and DNS, compared with what Suricata does with the rule: for each form in which
/// the code came, over IPv4 and IPv6, inline and passive, for the signature and for near misses of it. Prints a table.
@Suite("Where an engine sees code that came in HTTP and DNS") struct EngineBufferTests {
    /// Code of 400 bytes; every 41st is a dot, so that it can be a name's labels. The signature lies around the first dot.
    private static let code: [UInt8] = {
        var code = InertInstructions.bytes(400, seed: 12).map { $0 == UInt8(ascii: ".") ? 0x90 : $0 }
        for place in stride(from: 40, to: 400, by: 41) { code[place] = UInt8(ascii: ".") }
        return code
    }()
    private static let window = 24..<56

    /// What carried the code.
    private struct Form {
        var name: String
        /// Where the proof is to say that an engine sees it: `nil` for the stream as it is; empty for nowhere.
        var places: [ProtocolBuffer?]
        /// The same for the signature in two tokens, where that is another one: the border of two labels lies between them.
        var placesOfTokens: [ProtocolBuffer?]?
        var port: UInt16 = 80
        var transport = TransportProtocol.tcp
        var request: [UInt8]
        var response: [UInt8] = HTTPText.response(body: Array("ok".utf8))

        func places(ofTokens count: Int) -> [ProtocolBuffer?] { count > 1 ? placesOfTokens ?? places : places }

        var context: SignatureContext {
            // A client that is attacked by its server: its port is the server's.
            let isAnswer = request.starts(with: "GET / ".utf8)
            return SignatureContext(transport: transport, ports: [port], direction: isAnswer ? .fromPeer : .toService)
        }
    }

    private static let text = Array("Some text that is there to be compressed, and text that is there to be sent. ".utf8)
    private static func padded(_ code: [UInt8], before: Int = 4) -> [UInt8] {
        (0..<before).flatMap { _ in text } + code + text + text
    }

    private static func forms() async throws -> [Form] {
        let get = HTTPText.request("GET", target: Array("/".utf8), body: nil)
        let (body, gzip) = (padded(code), ["Content-Encoding: gzip"])
        let (packed, far) = (try await HTTPText.gzip(body), padded(code, before: 1400))
        let twice = try await HTTPText.gzip(packed)
        let bare = try await HTTPText.deflate(body, isBare: true)
        // A border of chunks in the middle of the signature.
        let chunk = 4 * text.count + 40
        let name = Array(code[..<204])
        let form = ["Content-Type: application/x-www-form-urlencoded"]
        return [
            Form(name: "request body", places: [nil], request: HTTPText.request(body: body)),
            Form(name: "request body at port 8081", places: [nil], port: 8081, request: HTTPText.request(body: body)),
            Form(name: "request body in chunks", places: [.httpRequestBody], request: HTTPText.chunkedRequest(body: body, chunk: chunk)),
            Form(name: "request body in tiny chunks", places: [.httpRequestBody], request: HTTPText.chunkedRequest(body: body, chunk: 9)),
            Form(name: "request body, gzip", places: [.httpRequestBody], request: HTTPText.request(fields: gzip, body: packed)),
            Form(
                name: "request body, gzip in chunks", places: [.httpRequestBody],
                request: HTTPText.chunkedRequest(fields: gzip, body: packed, chunk: 50)),
            Form(
                name: "request form", places: [.httpFormBody],
                request: HTTPText.request(fields: form, body: Array("a=".utf8) + HTTPText.percent(code))),
            Form(
                name: "request query", places: [.httpURI],
                request: HTTPText.request("GET", target: Array("/a?b=".utf8) + HTTPText.percent(code), body: nil)),
            Form(name: "response body", places: [nil], request: get, response: HTTPText.response(body: body)),
            Form(
                name: "response body in chunks", places: [.httpResponseBody], request: get,
                response: HTTPText.chunkedResponse(body: body, chunk: chunk)),
            Form(
                name: "response body, gzip", places: [.httpResponseBody], request: get,
                response: HTTPText.response(fields: gzip, body: packed)),
            Form(
                name: "response body, gzip in chunks", places: [.httpResponseBody], request: get,
                response: HTTPText.chunkedResponse(fields: gzip, body: packed, chunk: 50)),
            Form(
                name: "response body, deflate", places: [.httpResponseBody], request: get,
                response: HTTPText.response(fields: ["Content-Encoding: deflate"], body: bare)),
            Form(
                name: "response body, gzip twice", places: [.httpResponseBody], request: get,
                response: HTTPText.response(fields: ["Content-Encoding: gzip, gzip"], body: twice)),
            Form(
                name: "response body, gzip thrice", places: [], request: get,
                response: HTTPText.response(fields: ["Content-Encoding: gzip, gzip, gzip"], body: try await HTTPText.gzip(twice))),
            Form(
                name: "response body, gzip, far in it", places: [], request: get,
                response: HTTPText.response(fields: gzip, body: try await HTTPText.gzip(far))),
            Form(
                name: "response body, gzip unsaid", places: [], request: get, response: HTTPText.response(body: packed)),
            Form(
                name: "request path", places: [],
                request: HTTPText.request("GET", target: Array("/".utf8) + HTTPText.percent(code), body: nil)),
            Form(
                name: "DNS query", places: [.dnsQuery], placesOfTokens: [nil], port: 53, transport: .udp, request: HTTPText.dnsQuery(name)),
            Form(
                name: "DNS query over TCP", places: [.dnsQuery], placesOfTokens: [nil], port: 53,
                request: HTTPText.dnsQuery(name, isStream: true), response: []),
            Form(
                name: "DNS query at port 5300", places: [], placesOfTokens: [nil], port: 5300, transport: .udp,
                request: HTTPText.dnsQuery(name)),
        ]
    }

    /// The signature, the same in two tokens, and what almost is.
    private static let signatures: [(name: String, isHeld: Bool, tokens: [Signature.Token])] = {
        let bytes = Array(code[window])
        let (one, two) = (Array(bytes[..<14]), Array(bytes[18...]))
        return [
            ("window", true, [.init(bytes: bytes)]),
            ("two tokens", true, [.init(bytes: one), .init(bytes: two, gap: 2...4)]),
            ("a byte differs", false, [.init(bytes: Array(bytes.dropLast()) + [(bytes.last ?? 0) ^ 1])]),
            ("tokens a byte too near", false, [.init(bytes: one), .init(bytes: two, gap: 0...3)]),
            ("tokens a byte too far", false, [.init(bytes: one), .init(bytes: two, gap: 5...9)]),
        ]
    }()

    private func evidence(_ form: Form, _ capture: [UInt8]) throws -> WireEvidence {
        let folder = try TemporaryFolder()
        try Data(capture).write(to: URL(fileURLWithPath: folder.path + "/carrier.pcap"))
        let sample = Sample(
            code: ExtractedCode(base: 0x1000, bytes: Self.code, isWholeRegion: true),
            callersAddress: 0x1000 + UInt64(Self.window.upperBound),
            architecture: .x86_64, context: form.context)
        return WireEvidence(
            of: [sample], captures: [folder.path + "/carrier.pcap"], streams: CaptureStreams(),
            within: .init(deadline: .now + .seconds(60), each: .seconds(60)))
    }

    /// Whether Suricata fires by each signature, in this order.
    private func verdicts(_ signatures: [Signature], _ capture: [UInt8], isInline: Bool) async throws -> [Bool] {
        let found = try await EngineVerdicts.suricata(signatures, in: capture, isInline: isInline, hasLimits: true) { _ in 0 }
        return signatures.map { found[$0.id]?.isEmpty == false }
    }

    @Test(arguments: [false, true])
    func `the proof says where Suricata fires, and Suricata fires nowhere else`(isVersion6: Bool) async throws {
        print("\(isVersion6 ? "IPv6" : "IPv4"): form | the proof | Suricata passive, inline | by the stream alone")
        for form in try await Self.forms() {
            let conversation = Conversation(isVersion6: isVersion6, clientPort: 40000, serverPort: form.port)
            let frames =
                form.transport == .udp
                ? [conversation.datagram(form.request)] : conversation.connection(request: form.request, response: form.response)
            let capture = NetworkFrame.capture(frames, link: 101)
            let evidence = try evidence(form, capture)
            var (placed, plain, expected) = ([Signature](), [Signature](), [Bool]())
            for (name, isHeld, tokens) in Self.signatures {
                let signature = Signature(tokens: tokens, context: form.context)
                let findings = evidence.find(signature)
                let places = isHeld ? form.places(ofTokens: tokens.count) : []
                #expect(findings.places == Set(places), "\(form.name), \(name): \(findings.check.detail)")
                #expect((findings.check.outcome == .passed) == !places.isEmpty, "\(form.name), \(name)")
                #expect(findings.flows.isEmpty == findings.places.isEmpty)
                var rule = signature
                // What is not proven must not fire anywhere where a rule could look.
                let all = Set(ProtocolBuffer.allCases.map(Optional.some) + [nil])
                rule.context = signature.context.searched(in: findings.places.isEmpty ? all : findings.places)
                placed.append(rule)
                plain.append(signature)
                expected.append(findings.check.outcome == .passed)
            }
            var verdicts: [[Bool]] = []
            for isInline in [false, true] { verdicts.append(try await self.verdicts(placed, capture, isInline: isInline)) }
            let byStream = try await self.verdicts(plain, capture, isInline: true)
            let place = form.places.isEmpty ? "nowhere" : form.places.map { $0?.rawValue ?? "stream" }.joined(separator: ", ")
            print(
                "  \(form.name) | \(place) | \(verdicts[0][0] ? "fires" : "-"), \(verdicts[1][0] ? "fires" : "-") | \(byStream[0] ? "fires" : "-")"
            )
            for (index, signature) in Self.signatures.enumerated() {
                #expect(verdicts[0][index] == expected[index], "\(form.name), \(signature.name), passive")
                #expect(verdicts[1][index] == expected[index], "\(form.name), \(signature.name), inline")
                // A buffer is named only where the stream doesn't do.
                #expect(
                    byStream[index] == (signature.isHeld && form.places(ofTokens: signature.tokens.count) == [nil]),
                    "\(form.name), \(signature.name), by the stream")
            }
        }
    }
}
