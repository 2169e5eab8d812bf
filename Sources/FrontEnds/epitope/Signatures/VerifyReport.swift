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

        /// - Parameter offset: of the place in the file, where the data has its holes shortened.
        init(signature: String, source: String, place: Range<Int>, data: UnsafeRawBufferPointer, offset: Int) {
            self.signature = signature
            self.source = source
            self.offset = offset
            length = place.count
            let before = data[max(0, place.lowerBound - Self.bytesBefore)..<place.lowerBound]
            let from = data[place.lowerBound..<min(data.count, place.lowerBound + Self.bytesFrom)]
            bytes = "\(Hex.encode(Array(before)))|\(Hex.encode(Array(from)))"
        }
    }

    /// A file or folder that was not searched, or not all of it.
    struct Skipped: Encodable, Sendable {
        var path: String
        var reason: String
    }

    var signatures: Int
    /// Rules that were not read, and so not searched for; ``refusedRules`` may have fewer.
    var refusedRuleCount: Int
    var refusedRules: [VerifyRules.Refusal]
    var files: Int
    /// Captures among the files: only their raw bytes were searched.
    var captureFiles: Int
    /// In bytes: how much of files' holes was passed over.
    var holeBytes: Int
    var streams: Int
    /// Frames of captures that hold nothing of a TCP or UDP stream, and what they hold, such as `EtherType 0x0806`.
    var skippedFrames: Int
    var skippedKinds: [String: Int]
    /// Segments that no receiver takes, and places at which a stream lacks bytes.
    var ignoredSegments: Int
    var gaps: Int
    /// Connections that were ended to keep to the bounds of memory: what came of them later was searched by itself.
    var endedEarly: Int
    /// Fragments that never became a packet.
    var lostFragments: Int
    var bytes: Int
    var seconds: Double
    /// The number of all hits; ``hits`` may have fewer.
    var hitCount: Int
    var hits: [Hit]
    var skippedCount: Int
    var skipped: [Skipped]

    /// What was left out of the captures that were read.
    private var leftOut: [String] {
        let kinds = skippedKinds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }
        let counts: [(count: Int, one: String, several: String, what: String)] = [
            (skippedFrames, "frame", "frames", "held no TCP or UDP (\(kinds.joined(separator: ", ")))"),
            (
                ignoredSegments, "TCP segment was", "TCP segments were",
                "left out, as receivers do: a wrong checksum, or outside of the window"
            ),
            (gaps, "time", "times", "a stream lacks bytes; what lies across such a place is not found"),
            (
                endedEarly, "connection was", "connections were",
                "ended early to keep to the bounds of memory; what came later was searched by itself"
            ),
            (lostFragments, "fragment", "fragments", "never became a packet"),
        ]
        return counts.filter { $0.count > 0 }.map { "\($0.count) \($0.count == 1 ? $0.one : $0.several) \($0.what)" }
    }

    /// Whether everything that was named was read and searched.
    var isComplete: Bool { skippedCount == 0 && refusedRuleCount == 0 }

    /// 1 if something was found: an alarm is not hidden by a file that could not be read. Else 2 if something was not read,
    /// and 0 if everything was.
    var exitStatus: Int32 { hitCount > 0 ? 1 : isComplete ? 0 : 2 }

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
        if refusedRuleCount > 0 {
            lines.append(Console.table([["rule not searched for", "reason"]] + refusedRules.map { [$0.rule, $0.reason] }))
            if refusedRuleCount > refusedRules.count { lines.append("... and \(refusedRuleCount - refusedRules.count) more (--most)") }
        }
        if captureFiles > 0 {
            lines.append("\(captureFiles) of the files are captures: only their raw bytes were searched; --capture searches their streams")
        }
        lines += leftOut
        if holeBytes > 0 { lines.append("\(holeBytes) bytes of holes were passed over") }
        func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
        let rate = String(format: "%.1f MB in %.2f s", Double(bytes) / 1e6, seconds)
        lines.append(
            "\(count(signatures, "signature")) in \(count(files, "file")) and \(count(streams, "stream")): \(count(hitCount, "hit")); "
                + "\(rate); \(skippedCount) not searched")
        return lines.joined(separator: "\n")
    }
}
