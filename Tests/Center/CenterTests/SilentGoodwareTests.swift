// SPDX-License-Identifier: Apache-2.0

import Captures
import CenterAnalysis
import CenterStore
import Correlation
import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareReading
import PacketCoding
import SignatureProving
import Signatures
import TestSupport
import Testing

@Suite(
    "A file system that never answers holds up no analysis, and lets no rule through", .timeLimit(.minutes(2)),
    .enabled(if: SilentFileSystem.canBeMade, "needs root and /dev/fuse"))
struct SilentGoodwareTests {
    private let folder: TemporaryFolder
    private let store: CenterStore
    /// What lies over this one does not answer.
    private let place: String

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
        place = folder.path + "/hung"
        for name in [place, folder.path + "/corpus"] {
            try FileManager.default.createDirectory(atPath: name, withIntermediateDirectories: false)
        }
        try Data(bytes(4096, seed: 9)).write(to: URL(fileURLWithPath: folder.path + "/corpus/program"))
        _ = try GoodwareBuilder.build(sources: [folder.path + "/corpus"], output: place + "/index")
    }

    private func bytes(_ count: Int, seed: Int) -> [UInt8] {
        var random = SeededGenerator(seed: UInt64(seed))
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private func analyst(_ provers: ProverSource) -> ReportAnalyst {
        ReportAnalyst(
            store: store, policy: AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90),
            provers: provers)
    }

    private func receive(_ attack: UInt8) async throws {
        _ = try await store.add(Report(sender: Fixture.host, body: .packet(ReceivedPacket(Fixture.packet(attack: attack)))))
    }

    private func reason(of attack: UInt8) async throws -> String? {
        try await store.status().latestUpdates.first { $0.signatureID == Fixture.signature(attack: attack).id }?.reason
    }

    /// - Parameter isRequired: what there is is asked in any case.
    @Test(arguments: [true, false])
    func `while the goodware index does not answer nothing is proven, and then all of it`(isRequired: Bool) async throws {
        let provers = ProverSource(
            ProverSettings(goodware: place + "/index", requireGoodware: isRequired), reads: BoundedReads(seconds: 1),
            hungTime: .milliseconds(300))
        try provers.open()
        let analyst = analyst(provers)
        try await receive(1)
        while try await analyst.analyse() > 0 {}
        #expect(try await store.status().updates == ["proven": 1])

        var silent = SilentFileSystem(place)
        #expect(silent != nil)
        for attack in 2...5 as ClosedRange<UInt8> { try await receive(attack) }
        while try await analyst.analyse() > 0 {}
        #expect(try await store.status().updates == ["proven": 1, "unproven": 4])
        #expect(try await reason(of: 3)?.contains("does not answer") == true)
        #expect(await analyst.nextLook == .milliseconds(300))

        silent = nil
        try await eventually("all is proven") {
            while try await analyst.analyse() > 0 {}
            return try await store.status().updates["proven"] == 5
        }
        #expect(await analyst.nextLook == nil)
    }

    @Test func `a proof that never ends is given up, says so, and makes way for the others`() async throws {
        let silent = try #require(SilentFileSystem(place))
        var settings = ProverSettings(requireGoodware: false, benignCaptures: [place + "/*.pcap"], proofTime: .milliseconds(200))
        settings.otherTime = .milliseconds(300)
        // Its captures are waited for for longer than that.
        let analyst = analyst(ProverSource(settings))
        for attack in 1...3 as ClosedRange<UInt8> { try await receive(attack) }
        while try await analyst.analyse() > 0 {}
        #expect(try await store.status().updates == ["unproven": 3])
        // On a busy machine the captures may be known to be silent before the last ones begin, which then end sooner.
        for attack in 1...3 as ClosedRange<UInt8> {
            let why = try #require(try await reason(of: attack))
            #expect(["given up", "not all were read", "does not answer"].contains { why.contains($0) }, "\(why)")
        }
        #expect(try await store.events().contains { $0.step == .unproven && $0.detail.contains("given up") })
        _ = silent
    }
}
