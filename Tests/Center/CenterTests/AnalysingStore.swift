// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
import Correlation
import EpitopeModel
import PacketCoding
import SignatureProving
import TestSupport

/// A site's store with what works out its reports, by the usual threshold.
struct AnalysingStore {
    private let folder: TemporaryFolder
    let clock = TestClock()
    let store: CenterStore
    private let analyst: ReportAnalyst

    init(provers: ProverSource = Fixture.provers) throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: clock.clock)
        analyst = ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90),
            provers: provers)
    }

    func receive(_ packet: ExtractedPacket) async throws {
        try await receive(packet, from: try ReceivedPacket(packet).source)
    }

    func receive(_ packet: ExtractedPacket, from address: IPAddress?) async throws {
        let sender = Identity(role: .host, name: packet.parameters.system.hostID ?? "host-1")
        var received = try ReceivedPacket(packet)
        received.source = address
        _ = try await store.add(Report(sender: sender, body: .packet(received)))
    }

    func analyse() async throws {
        while try await analyst.analyse() > 0 {}
    }
}
