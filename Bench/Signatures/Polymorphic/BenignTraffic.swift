// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import StreamReassembly
import TestSupport

/// A stream that is held benign.
struct BenignStream: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case http = "HTTP"
        case dns = "DNS"
        case binary = "binary"
    }

    var kind: Kind
    var transport: TransportProtocol
    var serverPort: UInt16
    var isToServer: Bool
    var bytes: [UInt8]
}

/// Benign streams in three parts that share no stream: what the generator may see, what false positives are counted
/// on, and what is mixed into the suspicious pool as noise.
struct BenignTraffic: Sendable {
    var training: [BenignStream]
    var heldOut: [BenignStream]
    var noise: [BenignStream]
    /// Where the streams come from, for the tables.
    var origin: String

    init(_ streams: [BenignStream], origin: String, seed: UInt64) {
        var random = SeededGenerator(seed: seed, "split")
        let shuffled = streams.shuffled(using: &random)
        let (first, second) = (shuffled.count * 9 / 20, shuffled.count * 18 / 20)
        training = Array(shuffled[..<first])
        heldOut = Array(shuffled[first..<second])
        noise = Array(shuffled[second...])
        self.origin = origin
    }

    /// Reads the captures that `Bench/Signatures/benign-traffic` made: each file is named for the kind of its streams.
    init(captures folder: String, maxStreams: Int, seed: UInt64) throws {
        var streams: [BenignStream] = []
        let kinds: [(String, BenignStream.Kind)] = [
            ("http", .http), ("dns", .dns), ("redis", .binary), ("git", .binary),
        ]
        for (name, kind) in kinds {
            let path = "\(folder)/\(name).pcap"
            var count = 0
            try CaptureReader.streams(in: path) { stream in
                guard !stream.bytes.isEmpty else { return true }
                streams.append(
                    BenignStream(
                        kind: kind, transport: stream.transport, serverPort: stream.server.port,
                        isToServer: stream.direction == .toServer, bytes: stream.bytes))
                count += 1
                return count < maxStreams
            }
        }
        self.init(streams, origin: "captured here: nginx and curl, dnsmasq and dig, redis, git", seed: seed)
    }

    /// "900 HTTP, 800 DNS, 300 binary".
    static func summary(_ streams: [BenignStream]) -> String {
        let counts = BenignStream.Kind.allCases.map { kind in "\(streams.filter { $0.kind == kind }.count) \(kind.rawValue)" }
        return counts.joined(separator: ", ") + ", \(streams.reduce(0) { $0 + $1.bytes.count } >> 10) KiB"
    }
}
