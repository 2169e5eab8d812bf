// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import HostFrontEnd

/// The result of `epitope verify`. JSON output has the same names.
struct VerifyReport: Encodable, Sendable {
    /// One signature in one file or stream, with the first match that was found.
    struct Hit: Encodable, Sendable {
        var signature: String
        /// The file, or the capture with the flow.
        var source: String
        /// In bytes, from the start of the file or stream.
        var offset: Int
        var length: Int
        /// Hexadecimal: up to 4 bytes before the match, `|`, and up to 20 bytes from its start.
        var bytes: String

        private static let bytesBefore = 4
        private static let bytesFrom = 20

        init(signature: String, source: String, place: Range<Int>, data: UnsafeRawBufferPointer) {
            self.signature = signature
            self.source = source
            offset = place.lowerBound
            length = place.count
            let before = data[max(0, place.lowerBound - Self.bytesBefore)..<place.lowerBound]
            let from = data[place.lowerBound..<min(data.count, place.lowerBound + Self.bytesFrom)]
            bytes = "\(Hex.encode(Array(before)))|\(Hex.encode(Array(from)))"
        }
    }

    /// A file or folder that was not searched.
    struct Skipped: Encodable, Sendable {
        var path: String
        var reason: String
    }

    var signatures: Int
    var files: Int
    var streams: Int
    var bytes: Int
    var seconds: Double
    /// The number of all hits; ``hits`` may have fewer.
    var hitCount: Int
    var hits: [Hit]
    var skippedCount: Int
    var skipped: [Skipped]

    /// For people.
    var text: String {
        var lines: [String] = []
        if !hits.isEmpty {
            let rows = hits.map { [$0.signature, $0.source, "\($0.offset)", $0.bytes] }
            lines.append(Console.table([["signature", "where", "offset", "bytes"]] + rows))
            if hitCount > hits.count { lines.append("... and \(hitCount - hits.count) more hits (--most)") }
        }
        if !skipped.isEmpty {
            lines.append(Console.table([["not searched", "reason"]] + skipped.map { [$0.path, $0.reason] }))
            if skippedCount > skipped.count { lines.append("... and \(skippedCount - skipped.count) more (--most)") }
        }
        let rate = String(format: "%.3f GB in %.2f s, %.0f MB/s", Double(bytes) / 1e9, seconds, Double(bytes) / 1e6 / max(seconds, 1e-9))
        lines.append(
            "\(signatures) signatures in \(files) files and \(streams) streams: \(hitCount) hits; \(rate); \(skippedCount) not searched")
        return lines.joined(separator: "\n")
    }
}
