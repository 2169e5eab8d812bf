// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import HostStore
import Logging
import Novelty
import PacketCoding
import ProcessContext
import Scheduling
import Synchronization
import TestSupport

@testable import HostPipeline

/// A center in memory: takes packets, or fails as it is told.
final class FakeCenter: PacketSender {
    struct State {
        var received: [(packet: ExtractedPacket, destination: Destination)] = []
        var attempts = 0
        /// What the host said that it withheld.
        var counts: [WithheldCounts] = []
        /// Asked before each packet is taken.
        var failure: @Sendable (ExtractedPacket, _ attempt: Int) -> EpitopeError? = { _, _ in nil }
    }

    let state = Mutex(State())
    /// One element for each packet that was taken.
    let arrivals: AsyncStream<String>
    private let arrived: AsyncStream<String>.Continuation

    init(failure: @escaping @Sendable (ExtractedPacket, Int) -> EpitopeError? = { _, _ in nil }) {
        (arrivals, arrived) = AsyncStream.makeStream()
        state.withLock { $0.failure = failure }
    }

    var received: [ExtractedPacket] { state.withLock { $0.received.map(\.packet) } }
    var attempts: Int { state.withLock { $0.attempts } }

    func report(_ counts: WithheldCounts, to destination: Destination) async throws {
        state.withLock { $0.counts.append(counts) }
    }

    func send(_ message: EncodedPacket, to destination: Destination) async throws -> Receipt {
        let packet = try ExtractedPacket(encoded: message.bytes)
        let known = try state.withLock { state in
            state.attempts += 1
            if let error = state.failure(packet, state.attempts) { throw error }
            let known = state.received.contains { $0.packet.id == packet.id && $0.destination == destination }
            if !known { state.received.append((packet, destination)) }
            return known
        }
        arrived.yield(packet.id)
        return Receipt(id: packet.id, storedMilliseconds: 1, wasKnown: known)
    }
}

/// A folder of the test's own, with all of a host in it.
final class TestHost {
    let directory: String
    let store: HostStore

    init(quota: Int = 100) throws {
        directory = FileManager.default.temporaryDirectory.path + "/epitope-pipeline-\(UUID().uuidString)"
        store = try HostStore(directory: directory, settings: HostStoreSettings(quota: DailyQuota(limit: quota)))
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// - Parameter store: another than the host's own.
    func pipeline(
        _ center: any PacketSender, _ settings: HostPipelineSettings = .init(), store: HostStore? = nil, absentWindows: AbsentWindows? = nil
    ) -> HostPipeline {
        var settings = settings
        settings.backoff = Backoff(initial: .milliseconds(2), maximum: .milliseconds(20))
        return HostPipeline(
            settings: settings, parameters: ProcessContextCollector(hostID: "host-1", proc: directory), store: store ?? self.store,
            sender: center,
            log: EventLog(directory: directory), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            absentWindows: absentWindows)
    }

    /// The lines of the event log.
    func events() throws -> [HostEvent] {
        let text = try String(contentsOfFile: directory + "/" + EventLog.fileName, encoding: .utf8)
        return try text.split(separator: "\n").map { try JSONDecoder().decode(HostEvent.self, from: Data($0.utf8)) }
    }

    /// A stalled call whose code follows from a number.
    static func call(_ number: UInt8) -> Detection {
        let parameters = Samples.parameters()
        return Detection(
            architecture: .x86_32, callersAddress: Samples.callersAddress, region: parameters.region, call: .sendto,
            arguments: parameters.arguments, evidence: Samples.packet().evidence,
            code: ExtractedCode(base: Samples.code.base, bytes: Samples.code.bytes.map { $0 ^ number }, isWholeRegion: true),
            action: .blocked, process: parameters.process, timeMilliseconds: 1_700_000_000_000)
    }

    static func calls(_ numbers: [UInt8]) -> AsyncStream<DetectionReport> {
        AsyncStream { continuation in
            for number in numbers { continuation.yield(DetectionReport(call(number))) }
            continuation.finish()
        }
    }
}
