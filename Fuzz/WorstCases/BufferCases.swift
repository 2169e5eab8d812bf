// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// Streams of HTTP and DNS that make the reader of engines' buffers unpack or split most.
extension WorstCases {
    /// What the first byte of ``FuzzParser/buffers``' input says.
    private enum Kind: UInt8 {
        case requests = 0
        case responses = 1
        case queries = 3
    }

    static let buffers: [WorstCase] = [
        buffered("buffers-bombs", "responses of compressed zeros, one after the other", .responses) { size, scratch in
            let zeros = try packedZeros(100 << 10, scratch)
            return repeated(HTTPText.response(fields: ["Content-Encoding: gzip"], body: zeros), size)
        },
        buffered("buffers-layers", "the same, compressed twice", .responses) { size, scratch in
            let zeros = try packedZeros(64 << 20, scratch, times: 2)
            return repeated(HTTPText.response(fields: ["Content-Encoding: gzip, gzip"], body: zeros), size)
        },
        buffered("buffers-chunks", "a request in chunks of a byte", .requests) { size, _ in
            HTTPText.chunkedRequest(body: zeros(size / 6), chunk: 1)
        },
        buffered("buffers-requests", "the shortest requests", .requests) { size, _ in
            repeated(Array("GET / HTTP/1.1\r\n\r\n".utf8), size)
        },
        buffered("buffers-fields", "requests of fields without values", .requests) { size, _ in
            repeated(Array("GET / HTTP/1.1\r\n".utf8) + (0..<1000).flatMap { _ in Array("a:\r\n".utf8) } + Array("\r\n".utf8), size)
        },
        buffered("buffers-percent", "requests whose query is all percent signs", .requests) { size, _ in
            repeated(HTTPText.request("GET", target: Array("/?".utf8) + HTTPText.percent(zeros(5000)), body: nil), size)
        },
        buffered("buffers-forms", "a form that is all percent signs", .requests) { size, _ in
            repeated(
                HTTPText.request(
                    fields: ["Content-Type: application/x-www-form-urlencoded"], body: HTTPText.percent(zeros(30_000))), size)
        },
        buffered("buffers-names", "queries of labels of a byte", .queries) { size, _ in
            repeated(HTTPText.dnsQuery([UInt8]((0..<253).map { $0 % 2 == 0 ? 0x61 : UInt8(ascii: ".") }), isStream: true), size)
        },
    ]

    private static func buffered(
        _ name: String, _ what: String, _ kind: Kind, _ bytes: @escaping @Sendable (Int, FuzzScratch) throws -> [UInt8]
    ) -> WorstCase {
        // What comes out of compression is bounded by eight times the stream.
        reading(name, "\(what): engines' buffers", by: .buffers, sizes: [128 << 10, 1 << 20], maxMemory: 40) { size, scratch in
            [kind.rawValue] + (try bytes(size, scratch))
        }
    }

    private static func packedZeros(_ count: Int, _ scratch: FuzzScratch, times: Int = 1) throws -> [UInt8] {
        let path = scratch.file("zeros")
        try shell("head -c \(count) /dev/zero" + String(repeating: " | gzip -9n", count: times) + " > '\(path)'")
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }
}

extension WorstCases {
    /// A parser on an input that costs it most, which it may refuse.
    static func reading(
        _ name: String, _ what: String, by parser: FuzzParser, sizes: [Int], maxMemory: Double = 100, fixedMemory: Int = 32 << 20,
        _ bytes: @escaping @Sendable (Int, FuzzScratch) throws -> [UInt8]
    ) -> WorstCase {
        WorstCase(
            name: name, what: what, sizes: sizes, maxMemory: maxMemory, fixedMemory: fixedMemory,
            make: { size, scratch in
                let input = try bytes(size, scratch)
                return WorstCase.Input(bytes: input.count) {
                    // A refusal is as good: what it cost counts.
                    try? parser.run(input, scratch)
                    return nil
                }
            })
    }

    /// A part again and again, about so many bytes.
    static func repeated(_ part: [UInt8], _ size: Int) -> [UInt8] {
        (0..<max(1, size / max(1, part.count))).flatMap { _ in part }
    }
}
