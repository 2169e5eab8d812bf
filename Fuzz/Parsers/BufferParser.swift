// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import ProtocolBuffers
import StreamReassembly
import TestSupport

extension FuzzParser {
    /// What engines have in their buffers of a stream. The first byte says whether it is of HTTP requests, of responses, or of
    /// DNS queries, over UDP or TCP.
    static let buffers = FuzzParser(
        name: "buffers", what: "streams of HTTP and DNS to engines' buffers",
        dictionary: [
            "\r\n\r\n", "HTTP/1.1 200 OK\r\n", "GET /?", "Content-Length: ", "Transfer-Encoding: chunked\r\n", "Content-Encoding: gzip\r\n",
            "Content-Encoding: deflate\r\n", "0\r\n\r\n", "%41",
        ].map { Array($0.utf8) } + [[0xc0, 12], [0x1f, 0x8b, 8]],
        seeds: { _ in
            let text = [UInt8](repeating: 0x41, count: 90)
            // Two hundred bytes `A`, compressed.
            let packed: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0x73, 0x74, 0x1c, 0x1e, 0, 0, 0x98, 0x3d, 0xbb, 0x28, 0xc8, 0, 0, 0]
            let fields = ["Content-Encoding: gzip"]
            return [
                [0] + HTTPText.request(target: Array("/a?b=%41".utf8), body: text) + HTTPText.chunkedRequest(body: text, chunk: 7),
                [0] + HTTPText.chunkedRequest(fields: fields, body: packed, chunk: 5),
                [1] + HTTPText.chunkedResponse(body: text, chunk: 9) + HTTPText.response(fields: fields, body: packed),
                [2] + HTTPText.dnsQuery(Array("abc.de.example".utf8)),
                [3] + HTTPText.dnsQuery(Array("abc.de.example".utf8), isStream: true) + HTTPText.dnsQuery(text.suffix(20), isStream: true),
            ]
        },
        run: { input, _ in
            guard let kind = input.first else { throw Refusal("empty") }
            let end = SocketEndpoint(address: "10.0.0.1", port: kind & 2 == 0 ? 80 : 53)
            let stream = CapturedStream(
                transport: kind & 3 == 2 ? .udp : .tcp, client: SocketEndpoint(address: "10.0.0.2", port: 4000), server: end,
                direction: kind & 3 == 1 ? .toClient : .toServer, firstMilliseconds: 0, lastMilliseconds: 0, bytes: Array(input.dropFirst())
            )
            var (count, bytes) = (0, 0)
            stream.eachBuffer { buffered in
                count += 1
                bytes += buffered.bytes.count
                if buffered.bytes.count > 100 << 10 { broken("a body is longer than its bound") }
                return true
            }
            if bytes > 4 << 20 + 24 * input.count { broken("buffers are longer than their bound") }
            if count == 0 { throw Refusal("no-buffer") }
        })
}
