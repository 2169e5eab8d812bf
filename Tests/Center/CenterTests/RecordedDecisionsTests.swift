// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import PacketCoding
import SignatureProving
import Signatures
import TestSupport
import Testing

@testable import CenterAnalysis

/// The same reports lead to the same decisions, whatever is done to the store and to the order of its work: what a center decided
/// on recorded series of reports is kept beside the tests, line by line.
@Suite("Recorded reports lead to the recorded decisions")
struct RecordedDecisionsTests {
    private static let snapshots = Snapshots(folder: "Tests/Center/CenterTests/Snapshots")

    private let folder: TemporaryFolder
    private let clock = TestClock()
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
    }

    /// Reports of some hosts over three days: attacks that hosts share and that they don't, with strong and weak evidence, by
    /// several ports, as code, moved in other code, as a window, and as fill.
    private func reports(seed: UInt64, count: Int = 120) -> [(packet: ExtractedPacket, pauseMilliseconds: Int64)] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { number in
            let attack = UInt8.random(in: 1...9, using: &random)
            let host = "host-\(Int.random(in: 1...7, using: &random))"
            let evidence = (0..<Int.random(in: 1...2, using: &random)).map { _ in
                // Of those that there were when the decisions were recorded.
                EvidenceKind.allCases[Int.random(in: 0..<11, using: &random)]
            }
            let port: UInt16 = [1434, 1434, 1434, 53][Int.random(in: 0..<4, using: &random)]
            var packet = Fixture.packet(attack: attack, number: number, host: host, evidence: evidence, port: port)
            switch Int.random(in: 0..<10, using: &random) {
            case 0: packet.content = .signature(Array(Fixture.code(attack: attack).bytes[32..<64]))
            case 1:
                let before = (0..<Int.random(in: 1...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
                packet.content = .code(
                    ExtractedCode(base: 0x2000, bytes: before + Fixture.code(attack: attack).bytes, isWholeRegion: true))
                packet.callersAddress = 0x2000 + UInt64(before.count) + 64 + UInt64(Int.random(in: 0...32, using: &random))
            case 2 where attack == 9:
                packet.content = .code(ExtractedCode(base: 0x1000, bytes: Array(repeating: 0x90, count: 96), isWholeRegion: true))
            default: break
            }
            return (packet, Int64.random(in: 0...4_000_000, using: &random))
        }
    }

    /// Every decision in its order, as lines.
    private func decisions(
        on reports: [(packet: ExtractedPacket, pauseMilliseconds: Int64)], by policy: AnalysisPolicy, groupedBy size: Int
    ) async throws -> String {
        let analyst = ReportAnalyst(store: store, policy: policy, provers: Fixture.provers)
        for start in stride(from: 0, to: reports.count, by: size) {
            for (packet, pause) in reports[start..<min(start + size, reports.count)] {
                clock.advance(milliseconds: pause)
                let sender = Identity(role: .host, name: packet.parameters.system.hostID ?? "host-1")
                _ = try await store.add(Report(sender: sender, body: .packet(ReceivedPacket(packet))))
            }
            // First all reports: how many a center takes at once depends on how long they take.
            while try await analyst.analyseReports() > 0 {}
            while try await analyst.analyse() > 0 {}
        }
        let status = try await store.status(events: 100_000)
        // Grades are said beside the decisions.
        let events = status.events.filter { $0.step != .stored && $0.step != .graded }.map {
            "\($0.step.rawValue) \($0.subject) \($0.detail)"
        }
        let updates = status.latestUpdates.reversed().map { update in
            "update \(update.signatureID) revision \(update.revision) \(update.state.rawValue) \(update.reason ?? "")"
        }
        let counts = ["clusters \(status.clusters)"] + status.forwards.sorted { $0.key < $1.key }.map { "forwards \($0.key) \($0.value)" }
        return (events + updates + counts).joined(separator: "\n")
    }

    private static func policy(_ counter: AttackThreshold.Counter, points: Int, forwards: ForwardRule) -> AnalysisPolicy {
        AnalysisPolicy(
            threshold: AttackThreshold(points: points, counter: counter), targets: [.ids, .global], forwards: forwards, lifetimeDays: 90)
    }

    @Test(arguments: [1, 17])
    func `of a counter for each cluster`(groupSize: Int) async throws {
        let lines = try await decisions(
            on: reports(seed: 1), by: Self.policy(.cluster, points: 200, forwards: .all), groupedBy: groupSize)
        #expect(Self.snapshots.difference(lines, from: "clusters-in-groups-of-\(groupSize).txt") == nil)
    }

    @Test func `of the default threshold`() async throws {
        let lines = try await decisions(on: reports(seed: 2), by: Self.policy(.cluster, points: 100, forwards: .reached), groupedBy: 1)
        #expect(Self.snapshots.difference(lines, from: "default-threshold.txt") == nil)
    }

    @Test func `of one counter for the site`() async throws {
        let lines = try await decisions(on: reports(seed: 3), by: Self.policy(.site, points: 700, forwards: .reached), groupedBy: 5)
        #expect(Self.snapshots.difference(lines, from: "site-counter.txt") == nil)
    }
}
