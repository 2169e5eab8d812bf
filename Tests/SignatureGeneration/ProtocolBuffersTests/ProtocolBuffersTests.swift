// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import ProtocolBuffers
import Signatures
import StreamReassembly
import TestSupport
import Testing

@Suite("What engines have in their buffers of HTTP and DNS") struct ProtocolBuffersTests {
    private let body = InertInstructions.bytes(700, seed: 4)

    private func buffers(
        _ bytes: [UInt8], isRequest: Bool = true, transport: TransportProtocol = .tcp, port: UInt16 = 80, offset: Int = 0
    ) -> [BufferedBytes] {
        let stream = CapturedStream(
            transport: transport, client: SocketEndpoint(address: "10.0.0.1", port: 4000),
            server: SocketEndpoint(address: "10.0.0.2", port: port), direction: isRequest ? .toServer : .toClient, firstMilliseconds: 0,
            lastMilliseconds: 0, bytes: bytes, offset: offset, isContinued: offset > 0)
        var found: [BufferedBytes] = []
        stream.eachBuffer {
            found.append($0)
            return true
        }
        return found
    }

    private func bytes(_ buffer: ProtocolBuffer, in found: [BufferedBytes]) -> [[UInt8]] {
        found.filter { $0.buffer == buffer }.map(\.bytes)
    }

    @Test func `a body is without its chunks`() {
        for chunk in [1, 5, 699, 700, 5000] {
            let found = buffers(HTTPText.chunkedRequest(body: body, chunk: chunk))
            #expect(bytes(.httpRequestBody, in: found) == [body], "\(chunk)")
            #expect(found[0].isTransformed == (chunk < 700) && found[0].isFromStart)
        }
    }

    @Test func `several messages of a connection are read one after the other`() {
        let stream =
            HTTPText.request("GET", target: Array("/a?b=%41%42".utf8), body: nil) + HTTPText.request(body: Array(body[..<300]))
            + HTTPText.chunkedRequest(body: body, chunk: 7) + HTTPText.request(body: Array(body[300...]))
        let found = buffers(stream)
        #expect(bytes(.httpRequestBody, in: found) == [Array(body[..<300]), body, Array(body[300...])])
        #expect(bytes(.httpURI, in: found) == [Array("b=AB".utf8)])
    }

    @Test func `compression is taken out, up to twice`() async throws {
        let once = try await HTTPText.gzip(body)
        let forms = [
            ("gzip", once), ("x-gzip", once), ("deflate", try await HTTPText.deflate(body, isBare: false)),
            ("deflate", try await HTTPText.deflate(body, isBare: true)), ("gzip, gzip", try await HTTPText.gzip(once)),
            ("identity", body),
        ]
        for (name, form) in forms {
            let fields = ["content-ENCODING:  \(name) "]
            let response = HTTPText.chunkedResponse(fields: fields, body: form, chunk: 33)
            #expect(bytes(.httpResponseBody, in: buffers(response, isRequest: false)) == [body], "\(name)")
            #expect(bytes(.httpRequestBody, in: buffers(HTTPText.request(fields: fields, body: form))) == [body], "\(name)")
        }
        let thrice = try await HTTPText.gzip(try await HTTPText.gzip(once))
        for (name, form) in [("gzip, gzip, gzip", thrice), ("br", once), ("compress", once)] {
            #expect(buffers(HTTPText.response(fields: ["Content-Encoding: \(name)"], body: form), isRequest: false).isEmpty, "\(name)")
        }
        // What is damaged is had up to there.
        let cut = HTTPText.response(fields: ["Content-Encoding: gzip"], body: Array(once.dropLast(200)))
        let rest = try #require(bytes(.httpResponseBody, in: buffers(cut, isRequest: false)).first)
        #expect(rest.count < body.count && body.starts(with: rest))
    }

    @Test func `of a long body its beginning is had, compressed or not`() async throws {
        let long = InertInstructions.bytes(150_000, seed: 9)
        let packed = HTTPText.response(fields: ["Content-Encoding: gzip"], body: try await HTTPText.gzip(long))
        for response in [HTTPText.response(body: long), packed] {
            #expect(bytes(.httpResponseBody, in: buffers(response, isRequest: false)) == [Array(long[..<(100 << 10)])])
        }
    }

    @Test func `what comes out of bombs is bounded, in memory and in all`() async throws {
        let bomb = try await HTTPText.gzip([UInt8](repeating: 0x90, count: 8 << 20))
        let message = HTTPText.request(fields: ["Content-Encoding: gzip"], body: bomb)
        let stream = (0..<120).flatMap { _ in message }
        #expect(stream.count < 1_200_000)
        let began = ContinuousClock.now
        let found = bytes(.httpRequestBody, in: buffers(stream))
        #expect(found.allSatisfy { $0.count <= 100 << 10 })
        #expect(found.reduce(0) { $0 + $1.count } <= 8 * stream.count + (200 << 10))
        #expect(ContinuousClock.now - began < .seconds(20))
        let twice = try await HTTPText.gzip(bomb)
        let nested = buffers(HTTPText.request(fields: ["Content-Encoding: gzip, gzip"], body: twice))
        #expect(nested.map(\.bytes.count) == [100 << 10])
    }

    @Test func `percent signs are resolved in queries and forms, once, and nowhere else`() {
        let target = Array("/p%41/?x=%41%7a%zz%2541+%2".utf8)
        let found = buffers(HTTPText.request(target: target, body: Array("a=%41+%42%4".utf8)))
        #expect(bytes(.httpURI, in: found) == [Array("x=Az%zz%41+%2".utf8)])
        #expect(bytes(.httpRequestBody, in: found) == [Array("a=%41+%42%4".utf8)])
        #expect(bytes(.httpFormBody, in: found) == [Array("a=A B%4".utf8)])
        let anchored = Signature(tokens: [.init(bytes: Array("Az".utf8), gap: 2...2)], context: .any)
        #expect(found.first { $0.buffer == .httpURI }?.decides(on: anchored) == false)
        #expect(found.first { $0.buffer == .httpFormBody }?.decides(on: anchored) == true)
    }

    @Test func `the name of a query is its labels with dots between them`() {
        let name = Array("ab\u{1}.".utf8) + [0xff, 0x00] + Array(".Example".utf8)
        let found = buffers(HTTPText.dnsQuery(name), transport: .udp, port: 53)
        #expect(found == [BufferedBytes(buffer: .dnsQuery, bytes: name, isTransformed: true)])
        let stream = HTTPText.dnsQuery(name, isStream: true) + HTTPText.dnsQuery(Array("second".utf8), isStream: true)
        #expect(bytes(.dnsQuery, in: buffers(stream, port: 53)) == [name, Array("second".utf8)])
        #expect(buffers(HTTPText.dnsQuery(name), transport: .udp, port: 5353).isEmpty)
        #expect(buffers(HTTPText.dnsQuery(name), isRequest: false, transport: .udp, port: 53).isEmpty)
        // Names that refer to others, and to themselves.
        var two = HTTPText.dnsQuery(Array("abc.example".utf8))
        two[5] = 2
        #expect(
            buffers(two + [2, 0x77, 0x78, 0xc0, 12, 0, 1, 0, 1], transport: .udp, port: 53).map {
                String(decoding: $0.bytes, as: UTF8.self)
            }
                == ["abc.example", "wx.abc.example"])
        let loop = Array(two[..<12]) + [0xc0, 12, 0, 1, 0, 1]
        #expect(buffers(loop, transport: .udp, port: 53).isEmpty)
    }

    @Test func `nothing is said of what is not of the usual form`() {
        let request = HTTPText.request(body: body)
        #expect(buffers(Array(request.dropFirst(3)), offset: 3).isEmpty)
        for bad in [
            "", "POST /x HTTP/2.0\r\n\r\n", "POST  HTTP/1.1\r\n\r\n", "GET /x\r\n\r\n", "\r\nPOST /x HTTP/1.1\r\n",
            "CONNECT a:1 HTTP/1.1\r\n\r\n",
        ] {
            #expect(buffers(Array(bad.utf8) + body).isEmpty, "\(bad)")
        }
        for field in ["Transfer-Encoding: gzip, chunked", "Content-Length: x", " folded: 1", ": 1", "none"] {
            #expect(buffers(HTTPText.request(fields: [field], body: body)).isEmpty, "\(field)")
        }
        let untold = Array("HTTP/1.1 200 OK\r\n\r\n".utf8) + body
        #expect(bytes(.httpResponseBody, in: buffers(untold, isRequest: false)) == [body])
        for status in ["100 Continue", "204 No Content", "304 Not Modified"] {
            #expect(buffers(Array("HTTP/1.1 \(status)\r\nContent-Length: 700\r\n\r\n".utf8) + body, isRequest: false).isEmpty)
        }
        // Chunks with a wrong end: what came before counts.
        let broken = Array("POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nzzz".utf8)
        #expect(bytes(.httpRequestBody, in: buffers(broken)) == [Array("abczz".utf8)])
    }

    @Test func `any bytes are read to their end`() {
        var random = SeededGenerator(seed: 8)
        for _ in 0..<2000 {
            var stream =
                HTTPText.request(target: Array("/?%41".utf8), body: Array(body[..<60])) + HTTPText.chunkedRequest(body: body, chunk: 9)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                stream[Int.random(in: 0..<stream.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let found = buffers(stream)
            #expect(found.allSatisfy { $0.bytes.count <= stream.count })
            var query = HTTPText.dnsQuery(Array("abc.de.example".utf8))
            query[Int.random(in: 0..<query.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            #expect(buffers(query, transport: .udp, port: 53).allSatisfy { $0.bytes.count <= 1024 })
        }
    }
}
