// SPDX-License-Identifier: Apache-2.0

import Captures
public import EpitopeModel
import FileAccess
import PatternScan
import ProtocolBuffers
public import Signatures
import StreamReassembly
import WireMatching

/// What rules would have hit in captured traffic, before they go live.
///
/// Streams are reassembled and searched as for a proof, and only where the rule's context applies. It is no engine: what Suricata makes of
/// its own variables (`$HOME_NET`), thresholds and pass rules isn't seen.
public struct RuleSimulation {
    /// A rule that is tried.
    public struct Rule: Sendable {
        public var signature: Signature
        /// The addresses that it is narrowed to; `nil`: it is for the whole site.
        public var narrowedTo: [IPAddress]?

        public init(_ signature: Signature, narrowedTo: [IPAddress]? = nil) {
            self.signature = signature
            self.narrowedTo = narrowedTo
        }
    }

    /// What one rule would have hit.
    public struct Hits: Hashable, Sendable, Codable {
        public var signatureID: String
        /// Streams, which are one direction of a connection, or a datagram's, each once.
        public var streams = 0
        /// Addresses of clients and of servers; at most ``RuleSimulation/maxAddresses`` are told apart.
        public var clients = 0
        public var servers = 0
        /// When the first and the last of them were, in milliseconds since 1970; `nil`: there is none.
        public var firstMilliseconds: Int64?
        public var lastMilliseconds: Int64?
        /// A few of them: `tcp 10.0.0.1:4000 -> 10.0.0.2:80, in FILE`.
        public var examples: [String] = []
    }

    /// What was looked at, and what was found.
    public struct Report: Hashable, Sendable, Codable {
        /// Since when, in milliseconds since 1970.
        public var sinceMilliseconds: Int64
        public var files = 0
        /// Files that were last written before that.
        public var olderFiles = 0
        /// Files, or parts of them, that could not be read, each with the reason; a hundred at most.
        public var unread: [String] = []
        public var streams = 0
        public var bytes = 0
        /// The time that the traffic is of, in milliseconds since 1970; `nil`: there was none.
        public var firstMilliseconds: Int64?
        public var lastMilliseconds: Int64?
        /// In the order of the rules.
        public var hits: [Hits]
    }

    /// Of one rule's hits.
    public static let maxAddresses = 100_000
    private static let maxExamples = 5
    private static let maxUnread = 100

    private struct Counted {
        var hits: Hits
        var streams: Set<Int> = []
        var clients: Set<String> = []
        var servers: Set<String> = []
    }

    private let rules: [Rule]
    private let scanner: SignatureScanner
    private let isAnyBuffered: Bool
    private var report: Report
    private var counted: [Counted]

    /// - Throws: `scan-failed` where the rules can't be searched for.
    private init(_ rules: [Rule], since: Int64) throws(EpitopeError) {
        self.rules = rules
        scanner = try SignatureScanner(rules.map(\.signature))
        isAnyBuffered = rules.contains { $0.signature.context.buffers != [nil] }
        report = Report(sinceMilliseconds: since, hits: [])
        counted = rules.map { Counted(hits: Hits(signatureID: $0.signature.id)) }
    }

    /// Tries rules over captures.
    ///
    /// - Parameters:
    ///   - captures: each a file, a folder, or a path with `*` in its last part.
    ///   - since: traffic before is passed over, in milliseconds since 1970.
    /// - Throws: `capture-unreadable` where a set has no file, `scan-failed`.
    public static func run(_ rules: [Rule], over captures: [String], since: Int64) throws -> Report {
        var simulation = try RuleSimulation(rules, since: since)
        for file in try captures.flatMap({ try CaptureReader.files(of: $0) }) { try simulation.look(at: file) }
        return simulation.concluded
    }

    private mutating func look(at file: String) throws {
        // What was last written before has nothing of the time; of one whose status can't be read the reader says why.
        if let modified = (try? FileStatus(path: file))?.identity.modified, (modified.seconds + 1) * 1000 < report.sinceMilliseconds {
            report.olderFiles += 1
            return
        }
        report.files += 1
        for index in counted.indices { counted[index].streams.removeAll() }
        do {
            let summary = try CaptureReader.streams(in: file) { stream in
                try look(at: stream, of: file)
                return true
            }
            if let failure = summary.failure { leaveOut("\(file), from frame \(summary.frames) on: \(failure)") }
            if summary.tally.cutPackets > 0 { leaveOut("\(file): of \(summary.tally.cutPackets) packets it has only the beginning") }
        } catch let error as EpitopeError where [.captureUnreadable, .captureEmpty].contains(error.code) {
            leaveOut("\(file): \(error.message)")
        }
    }

    private mutating func leaveOut(_ text: String) { if report.unread.count < Self.maxUnread { report.unread.append(text) } }

    private mutating func look(at stream: CapturedStream, of file: String) throws {
        guard stream.lastMilliseconds >= report.sinceMilliseconds else { return }
        if !stream.isContinued { report.streams += 1 }
        report.bytes += stream.bytes.count - stream.overlap
        report.firstMilliseconds = min(report.firstMilliseconds ?? .max, stream.firstMilliseconds)
        report.lastMilliseconds = max(report.lastMilliseconds ?? .min, stream.lastMilliseconds)
        for number in try found(in: stream.bytes) where rules[number].signature.context.admits(stream) { count(number, stream, file) }
        guard isAnyBuffered else { return }
        var buffers: [BufferedBytes] = []
        stream.eachBuffer { buffered in
            buffers.append(buffered)
            return true
        }
        for buffered in buffers {
            for number in try found(in: buffered.bytes) {
                let signature = rules[number].signature
                if signature.context.admits(stream, in: buffered.buffer), buffered.decides(on: signature) { count(number, stream, file) }
            }
        }
    }

    private func found(in bytes: [UInt8]) throws -> Set<Int> {
        try bytes.withUnsafeBytes { data in Set(try scanner.matches(in: data).map(\.signature)) }
    }

    private mutating func count(_ number: Int, _ stream: CapturedStream, _ file: String) {
        if let narrowed = rules[number].narrowedTo {
            let ends = [stream.client.address, stream.server.address].compactMap { IPAddress($0)?.unmapped }
            guard narrowed.contains(where: { ends.contains($0.unmapped) }) else { return }
        }
        var item = counted[number]
        guard item.streams.insert(stream.number).inserted else { return }
        item.hits.streams += 1
        if item.clients.count < Self.maxAddresses { item.clients.insert(stream.client.address) }
        if item.servers.count < Self.maxAddresses { item.servers.insert(stream.server.address) }
        item.hits.firstMilliseconds = min(item.hits.firstMilliseconds ?? .max, stream.firstMilliseconds)
        item.hits.lastMilliseconds = max(item.hits.lastMilliseconds ?? .min, stream.lastMilliseconds)
        if item.hits.examples.count < Self.maxExamples {
            item.hits.examples.append(
                "\(stream.transport.rawValue) \(stream.client.address):\(stream.client.port) -> "
                    + "\(stream.server.address):\(stream.server.port), in \(file)")
        }
        counted[number] = item
    }

    private var concluded: Report {
        var report = report
        report.hits = counted.map { item in
            var hits = item.hits
            (hits.clients, hits.servers) = (item.clients.count, item.servers.count)
            return hits
        }
        return report
    }
}
