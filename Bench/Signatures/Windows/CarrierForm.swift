// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport

/// The form in which an attack's code crosses the network.
enum CarrierForm: String, CaseIterable {
    case stream = "a stream, segments of 1,400 bytes"
    case small = "a stream, segments of 536 bytes"
    case version6 = "a stream over IPv6"
    case datagram = "a datagram"
    case body = "an HTTP request's body"
    case chunks = "the same in chunks of 60 bytes"
    case packed = "the same, gzip"
    case encoded = "a form, percent-encoded"
    case answer = "an HTTP response's body, gzip in chunks"

    var context: SignatureContext {
        SignatureContext(
            transport: self == .datagram ? .udp : .tcp, ports: [isHTTP ? 80 : 9999], direction: self == .answer ? .fromPeer : .toService)
    }

    private var isHTTP: Bool { [.body, .chunks, .packed, .encoded, .answer].contains(self) }

    /// Packets of raw IP that carry the code.
    func frames(_ code: [UInt8], clientPort: Int) async throws -> [[UInt8]] {
        let conversation = Conversation(isVersion6: self == .version6, clientPort: UInt16(clientPort), serverPort: context.ports[0])
        let (packed, ok) = (["Content-Encoding: gzip"], HTTPText.response(body: Array("ok".utf8)))
        func connection(_ request: [UInt8], _ response: [UInt8], segment: Int = 1400) -> [[UInt8]] {
            conversation.connection(request: request, response: response, segment: segment)
        }
        return switch self {
        case .stream, .version6: connection(code, Array("ok".utf8))
        case .small: connection(code, Array("ok".utf8), segment: 536)
        case .datagram: [conversation.datagram(code)]
        case .body: connection(HTTPText.request(body: code), ok)
        case .chunks: connection(HTTPText.chunkedRequest(body: code, chunk: 60), ok)
        case .packed: connection(HTTPText.request(fields: packed, body: try await HTTPText.gzip(code)), ok)
        case .encoded:
            connection(
                HTTPText.request(
                    fields: ["Content-Type: application/x-www-form-urlencoded"], body: Array("a=".utf8) + HTTPText.percent(code)), ok)
        case .answer:
            connection(
                HTTPText.request("GET", target: Array("/".utf8), body: nil),
                HTTPText.chunkedResponse(fields: packed, body: try await HTTPText.gzip(code), chunk: 100))
        }
    }
}
