// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing
import TokenSequences

/// How long a match of a stream may be for Suricata to see it, by Suricata itself: prints a table of the spans that were tried.
@Suite("What an engine sees of a stream at once") struct EngineWindowTests {
    private static let spans = [64, 256, 512, EngineReach.streamSpan, 1464, 2064, 4064, 8064]
    /// How many bytes lie before the first token.
    private static let places = Array(stride(from: 0, through: 5200, by: 400))
    private static let first = Array<UInt8>(0xa0..<0xc0)
    private static let second = Array<UInt8>(0xc0..<0xe0)

    private struct Trial {
        var span: Int
        var place: Int

        var bytes: [UInt8] {
            var random = SeededGenerator(seed: UInt64(span * 10000 + place))
            func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...0x7f, using: &random) } }
            return noise(place) + first + noise(span - first.count - second.count) + second + noise(3000)
        }
    }

    private static let trials = spans.flatMap { span in places.map { Trial(span: span, place: $0) } }

    private static let signature = Signature(
        tokens: [.init(bytes: first), .init(bytes: second)],
        context: SignatureContext(transport: .tcp, ports: [9999], direction: .toService))

    /// Connections whose segments are each acknowledged, as a server does that reads what comes.
    private static let capture: [UInt8] = {
        let frames = trials.enumerated().flatMap { index, trial in
            let client = (host: UInt8(1), port: UInt16(10000 + index))
            let server = (host: UInt8(2), port: UInt16(9999))
            return NetworkFrame.connection(from: client, to: server, trial.bytes, segment: 1400, isAcknowledged: true)
        }
        return NetworkFrame.capture(frames, link: 101)
    }()

    /// How many of the places each span was found at.
    private func found(isInline: Bool) async throws -> [Int: Int] {
        let found = try await EngineVerdicts.suricata([Self.signature], in: Self.capture, isInline: isInline) {
            ($0["src_port"] as? Int).map { $0 - 10000 }
        }
        return Dictionary(grouping: found[Self.signature.id] ?? []) { Self.trials[$0].span }.mapValues(\.count)
    }

    @Test func `inline, Suricata sees every match that is within its reach, and none far beyond it`() async throws {
        let (inline, passive) = (try await found(isInline: true), try await found(isInline: false))
        print("span  inline  passive, of \(Self.places.count)")
        for span in Self.spans { print("\(span)  \(inline[span] ?? 0)  \(passive[span] ?? 0)") }
        for span in Self.spans where span <= EngineReach.streamSpan { #expect(inline[span] == Self.places.count, "\(span) bytes") }
        #expect(inline[8064] == nil && passive[8064] == nil)
        // Where Suricata only listens, it is no rule's fault that a border cuts a match in two.
        #expect((passive[64] ?? 0) >= Self.places.count * 3 / 4)
    }

    @Test func `behind the depth of its reassembly an engine sees what lies in one segment`() {
        func isSeen(_ span: Int, at place: Int) -> Bool {
            let trial = Trial(span: span, place: 100)
            return Self.signature.matchesWithinEngineReach(trial.bytes, isDatagram: false, offset: place)
        }
        #expect(isSeen(64, at: 0) && isSeen(EngineReach.streamSpan, at: 0))
        #expect(isSeen(64, at: EngineReach.streamDepth) && isSeen(EngineReach.segmentSpan, at: 9 * EngineReach.streamDepth))
        #expect(!isSeen(3 * EngineReach.segmentSpan, at: EngineReach.streamDepth))
        // A place from the start of the data is none of a later part.
        let anchored = Signature(tokens: [.init(bytes: Self.first, gap: 100...100)], context: Self.signature.context)
        let bytes = Trial(span: 64, place: 100).bytes
        #expect(anchored.matchesWithinEngineReach(bytes, isDatagram: false))
        #expect(!anchored.matchesWithinEngineReach(bytes, isDatagram: false, offset: 1 << 19))
    }

    @Test func `the matcher's reach is that of the engine`() {
        for trial in Self.trials {
            let isSeen = Self.signature.matchesWithinEngineReach(trial.bytes, isDatagram: false)
            if trial.span <= EngineReach.streamSpan { #expect(isSeen, "\(trial)") }
            if trial.span > 2 * EngineReach.streamSpan { #expect(!isSeen, "\(trial)") }
            #expect(Self.signature.matchesWithinEngineReach(trial.bytes, isDatagram: true))
        }
    }
}
