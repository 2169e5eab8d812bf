// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
import EpitopeModel
import LocalCenter
import Logging
import PacketCoding
import TestSupport

/// A local center over a store in a folder, which can be killed and started again.
struct RunningCenter: Sendable {
    let store: CenterStore
    let service: LocalCenterService
    private let task: Task<Void, any Error>

    init(
        folder: TemporaryFolder, clock: TestClock = TestClock(), ids: FakeIDS?, global: FakeGlobalCenter? = nil,
        linkMonitor: LinkMonitor? = nil, peers: (any PeerSource)? = nil,
        _ change: (inout LocalCenterConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = LocalCenterConfiguration()
        configuration.analysis.requireGoodware = false
        change(&configuration)
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let service = LocalCenterService(
            configuration: configuration, store: store, installer: ids, link: global, linkMonitor: linkMonitor,
            peers: peers, logger: logger)
        self.store = store
        self.service = service
        task = Task { try await service.run() }
    }

    /// Ends the background work where it stands.
    func kill() async {
        task.cancel()
        _ = await task.result
    }

    @discardableResult
    func receive(_ packet: ExtractedPacket, source: String? = nil) async throws -> Receipt {
        let sender = Identity(role: .host, name: packet.parameters.system.hostID ?? "host-1")
        var received = try ReceivedPacket(packet)
        if let source { received.source = IPAddress(source) }
        return try await service.receive(received, from: sender)
    }

    func status() async throws -> StatusReport {
        try await store.status(events: 1000)
    }

    /// Waits until the counts of deliveries (`ids delivered`) are these.
    func awaitDeliveries(_ expected: [String: Int]) async throws {
        try await eventually("deliveries \(expected)") { try await status().deliveries == expected }
    }

    func awaitForwards(_ expected: [String: Int]) async throws {
        try await eventually("forwards \(expected)") { try await status().forwards == expected }
    }

    func awaitAnalysed(_ count: Int) async throws {
        try await eventually("\(count) reports analysed") { try await status().reports == ["analysed": count] }
    }
}
