// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Signatures
import Testing

@Suite("Traffic that is searched in buffers") struct ProtocolBufferTests {
    private func tcp(
        _ ports: [UInt16], _ direction: SignatureContext.Direction = .toService, in buffer: ProtocolBuffer? = nil
    ) -> SignatureContext {
        SignatureContext(transport: .tcp, ports: ports, direction: direction, buffer: buffer)
    }

    @Test func `a buffer is searched in the traffic that brings it`() {
        let web = tcp([80])
        #expect(web.searched(in: [.httpRequestBody]) == tcp([80], in: .httpRequestBody))
        #expect(web.searched(in: [nil, .httpURI]).parts == [web, tcp([80], in: .httpURI)])
        #expect(web.searched(in: [.httpResponseBody]) == web)
        #expect(tcp([80], .fromPeer).searched(in: [.httpResponseBody]) == tcp([80], .fromPeer, in: .httpResponseBody))
        let names = SignatureContext(transport: .udp, ports: [53], direction: .toService)
        #expect(names.searched(in: [.httpURI]) == names)
        #expect(names.searched(in: [.dnsQuery]).buffer == .dnsQuery)
        #expect(SignatureContext.any.searched(in: [.dnsQuery]).parts.map(\.transport) == [.tcp, .udp])
        #expect(SignatureContext.any.searched(in: [.dnsQuery]).parts.allSatisfy { $0.direction == .any })
        #expect(SignatureContext.any.searched(in: [nil, .httpURI]) == .any)
    }

    @Test func `what is searched in a buffer neither covers nor is covered by the traffic as it is`() {
        let (plain, body) = (tcp([80]), tcp([80], in: .httpRequestBody))
        #expect(!plain.covers(body) && !body.covers(plain) && body.covers(body))
        let both = plain.merged(with: body)
        #expect(both.parts == [plain, body] && both.covers(plain) && both.covers(body))
        #expect(both.buffers == [nil, .httpRequestBody])
        #expect(both.withoutBuffers == plain)
        #expect(both.merged(with: tcp([8080], in: .httpRequestBody)).parts == [plain, tcp([80, 8080], in: .httpRequestBody)])
        #expect(tcp([], .any).merged(with: body).parts.count == 2)
        #expect(tcp([], .any, in: .httpRequestBody).merged(with: body) == tcp([], .any, in: .httpRequestBody))
    }

    @Test func `as JSON a buffer is named where there is one`() throws {
        for context in [tcp([80]), tcp([80], in: .httpFormBody), tcp([80]).searched(in: [nil, .httpURI])] {
            let json = try JSONEncoder().encode(context)
            #expect(try JSONDecoder().decode(SignatureContext.self, from: json) == context)
            #expect(String(decoding: json, as: UTF8.self).contains("buffer") == (context.buffers != [nil]))
        }
    }

    @Test func `a buffer that the traffic can't bring is malformed`() {
        func isWellFormed(_ context: SignatureContext) -> Bool {
            Signature(tokens: [.init(bytes: Array(1...32))], context: context).isWellFormed
        }
        #expect(isWellFormed(tcp([80], in: .httpRequestBody)) && isWellFormed(tcp([], .any, in: .httpResponseBody)))
        #expect(!isWellFormed(tcp([80], in: .httpResponseBody)) && !isWellFormed(tcp([80], .fromPeer, in: .httpURI)))
        #expect(!isWellFormed(SignatureContext(transport: .udp, ports: [80], direction: .toService, buffer: .httpURI)))
        #expect(!isWellFormed(SignatureContext(transport: nil, ports: [], direction: .any, buffer: .dnsQuery)))
    }
}
