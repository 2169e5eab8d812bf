// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import Foundation
import PacketCoding
import Scheduling
import SignatureProving
import Synchronization
import TestSupport
import Testing

@testable import CenterAnalysis

@Suite("What could not be looked at is looked at again", .timeLimit(.minutes(1)))
struct UnlookedCapturesTests {
    private let folder: TemporaryFolder
    private let store: CenterStore
    private var ring: String { folder.path + "/ring" }

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
        try FileManager.default.createDirectory(atPath: folder.path + "/ring", withIntermediateDirectories: false)
        try write(capture, "1.pcap")
    }

    private var capture: [UInt8] {
        NetworkFrame.capture(NetworkFrame.connection(from: (1, 4000), to: (2, 80), Array("GET / HTTP/1.1".utf8), segment: 1400), link: 101)
    }

    /// A frame of an impossible length.
    private var damaged: [UInt8] {
        var bytes = capture
        bytes.replaceSubrange(24 + 8..<24 + 12, with: [0xff, 0xff, 0xff, 0x7f])
        return bytes
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: ring + "/" + name))
    }

    private func analyst() -> ReportAnalyst {
        ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90),
            provers: ProverSource(ProverSettings(requireGoodware: false, benignCaptures: [ring])))
    }

    private func analyse(_ analyst: ReportAnalyst) async throws -> [String: Int] {
        while try await analyst.analyse() > 0 {}
        return try await store.status().updates
    }

    private func receive(_ attack: UInt8) async throws {
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: attack)))))
    }

    @Test func `an attack whose proof a capture held up is proven once that is gone, with no further report`() async throws {
        try write(damaged, "2.pcap")
        let analyst = analyst()
        try await receive(1)
        #expect(try await analyse(analyst) == ["unproven": 1])
        let hindrance = try #require(await analyst.hindrance)
        #expect(hindrance.code.rawValue == "capture-unreadable" && hindrance.message.contains(ring + "/2.pcap"))
        #expect(try #require(await analyst.nextLook) <= UnlookedCaptures.lookPause)
        try FileManager.default.removeItem(atPath: ring + "/2.pcap")
        try await eventually("it is proven") { try await analyse(analyst)["proven"] == 1 }
        #expect(await analyst.hindrance == nil)
        #expect(await analyst.nextLook == nil)
    }

    @Test func `and after a restart`() async throws {
        try write(damaged, "2.pcap")
        try await receive(1)
        #expect(try await analyse(analyst()) == ["unproven": 1])
        #expect(try await analyse(analyst()) == ["unproven": 1])
        try write(capture, "2.pcap")
        #expect(try await analyse(analyst())["proven"] == 1)
    }

    @Test func `it is said once, and the analysis is not said to work until it is over`() async throws {
        try write(damaged, "2.pcap")
        let (failures, successes) = (Counted(), Counted())
        let worker = AnalysisWorker(
            analyst: analyst(), keepDays: KeepDays(packets: 30, audit: 730), onProgress: {},
            onFailure: { failures.add("\($0)") }, onSuccess: { successes.add("") })
        let task = Task { await worker.run() }
        try await eventually("it works") { successes.count > 0 }
        for attack in 1...3 as ClosedRange<UInt8> {
            try await receive(attack)
            worker.signal.send()
            try await eventually("it is analysed") { try await store.status().updates == ["unproven": Int(attack)] }
        }
        try await eventually("it is said") { failures.count == 1 }
        #expect(failures.texts.first?.contains("2.pcap") == true)
        let before = successes.count
        worker.signal.send()
        try await Task.sleep(for: .milliseconds(200))
        #expect(failures.count == 1 && successes.count == before)
        try FileManager.default.removeItem(atPath: ring + "/2.pcap")
        try await eventually("all is proven") { try await store.status().updates["proven"] == 3 }
        try await eventually("it works again") { successes.count > before }
        #expect(failures.count == 1)
        task.cancel()
        await task.value
    }

    private final class Counted: Sendable {
        private let all = Mutex<[String]>([])
        var texts: [String] { all.withLock { $0 } }
        var count: Int { texts.count }
        func add(_ text: String) { all.withLock { $0.append(text) } }
    }

    @Test func `another attempt is due when something is otherwise, and every few minutes`() {
        let start = ContinuousClock.now
        let last = UnlookedCaptures.pauses.most
        var captures = UnlookedCaptures(["a"], state: "1", pause: nil, now: start)
        func isWorthIt(_ state: String, _ now: ContinuousClock.Instant) -> Bool {
            var looked = captures
            return looked.look(at: state, now: now)
        }
        #expect(!captures.isDue(now: start))
        #expect(captures.wait(now: start) == UnlookedCaptures.lookPause)
        let first = start + UnlookedCaptures.pauses.first
        #expect(captures.isDue(now: first))
        #expect(!isWorthIt("1", first))
        #expect(isWorthIt("2", first + UnlookedCaptures.lookPause))
        #expect(isWorthIt("1", start + last))
        // A file that changes all the time costs ever less.
        var pauses: [Duration] = []
        for _ in 0..<8 {
            captures = UnlookedCaptures(["a"], state: "1", pause: captures.pause, now: start)
            pauses.append(captures.pause)
            #expect(!isWorthIt("2", start + captures.pause - .seconds(1)))
            #expect(isWorthIt("2", start + captures.pause))
        }
        #expect(pauses == [4, 8, 16, 32, 64, 128, 240, 240].map { .seconds($0) })
    }
}
