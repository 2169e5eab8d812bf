// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import Correlation
import EpitopeModel
import Foundation
import GlobalCenter
import LocalCenter
import PacketCoding
import SettingsFiles
import Rendering
import SignatureProving
import Signatures
import TestSupport
import Testing

@testable import CenterStore

/// `callerWindow`: a center works with windows of another length as it does with those of 32 bytes.
@Suite("The length of the caller window is a setting of the center")
struct CallerWindowSettingTests {
    private let folder: TemporaryFolder
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
    }

    private func analyse(_ packets: [ExtractedPacket], window: Int) async throws -> StatusReport {
        var (policy, settings) = (
            AnalysisPolicy(threshold: .init(), targets: [.ids], forwards: .never, lifetimeDays: 90), ProverSettings(requireGoodware: false)
        )
        (policy.callerWindow, settings.callerWindow) = (window, window)
        let analyst = ReportAnalyst(store: store, policy: policy, provers: ProverSource(settings))
        for packet in packets {
            let sender = Identity(role: .host, name: packet.parameters.system.hostID ?? "host-1")
            _ = try await store.add(Report(sender: sender, body: .packet(ReceivedPacket(packet))))
            while try await analyst.analyse() > 0 {}
        }
        return try await store.status(events: 1000)
    }

    private func signatures() async throws -> [Signature] {
        _ = try await store.reserveQuota(for: .ids, limits: QuotaLimits(updates: 9), yieldingTo: nil)
        return try await store.ruleSet().pending.map(\.rule.update.signature)
    }

    /// Of the fixture's 96 bytes with the call at 64: what is longer moves forward, up to all of it.
    private func window(_ length: Int) -> [UInt8] {
        let bytes = Fixture.code(attack: 1).bytes
        let start = max(0, 64 - length)
        return Array(bytes[start..<min(bytes.count, start + length)])
    }

    @Test(arguments: [8, 16, 32, 48, 256]) func `it is cut, proven, rendered and matched`(length: Int) async throws {
        // Caught at another call, behind other code: it joins the first by the window that it holds.
        var shifted = Fixture.packet(attack: 1, number: 1, host: "host-2")
        shifted.content = .code(
            ExtractedCode(base: 0x2000, bytes: [0x41, 0x42, 0x43] + Fixture.code(attack: 1).bytes, isWholeRegion: true))
        shifted.callersAddress = 0x2000 + 90
        let status = try await analyse([Fixture.packet(attack: 1), shifted], window: length)
        #expect(status.clusters == 1 && status.updates == ["proven": 1], "\(status.updates)")
        let signature = try #require(try await signatures().first)
        #expect(signature.tokens == [.init(bytes: window(length))])
        let rules = try SuricataRule.rules(
            RuleInput(signature: signature, sid: Fixture.number(of: signature), message: "m", createdMilliseconds: 0, lifetimeDays: 1))
        let content = window(length).map { Hex.encode([$0]).uppercased() }.joined(separator: " ")
        #expect(rules.count == 1 && rules[0].text.contains("content:\"|\(content)|\""), "\(rules)")
        #expect(RuleReader.rules(in: rules[0].text).rules.map(\.signature.tokens) == [signature.tokens])
    }

    @Test(arguments: [8, 64, 256]) func `what is withdrawn stays out`(length: Int) async throws {
        _ = try await analyse([Fixture.packet(attack: 1)], window: length)
        let signature = try #require(try await signatures().first)
        try await store.withdraw(signatureID: signature.id, reason: "a service of ours sends it")
        _ = try await analyse([Fixture.packet(attack: 1, number: 2, host: "host-2")], window: length)
        #expect(try await signatures().allSatisfy { $0.id != signature.id && !$0.covers(signature) })
        #expect(try await store.status().updates["withdrawn"] == 1)
    }

    @Test(arguments: [8, 20, 33, 256]) func `a host's own signature of any length is taken as it is`(length: Int) async throws {
        var packet = Fixture.packet(attack: 1)
        packet.content = .signature(Array((1...3).flatMap { Fixture.code(attack: $0).bytes }.prefix(length)))
        guard case .signature(let own) = packet.content else { return }
        let status = try await analyse([packet], window: 8)
        #expect(status.updates == ["proven": 1])
        #expect(try await signatures().map(\.tokens) == [[.init(bytes: own)]])
    }

    @Test func `with the usual length a host's short signature is kept with its reason, and not delivered`() async throws {
        var packet = Fixture.packet(attack: 1)
        packet.content = .signature(Array(Fixture.code(attack: 1).bytes.prefix(8)))
        let status = try await analyse([packet], window: 32)
        #expect(status.updates == ["unproven": 1])
        #expect(status.latestUpdates.first?.reason?.contains("the center's setting callerWindow allows fewer") == true)
    }

    /// The path of a file with these settings.
    private func file(_ text: String) throws -> String {
        let path = folder.path + "/settings.yaml"
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    @Test func `both centers have it in their settings, within its bounds`() throws {
        #expect(try LocalCenterConfiguration.load(path: file("callerWindow: 64\n")).proving.callerWindow == 64)
        #expect(try GlobalCenterConfiguration.load(path: file("callerWindow: 8\n")).proving.callerWindow == 8)
        #expect(LocalCenterConfiguration().proving.callerWindow == 32)
        for wrong in ["7", "257", "0", "-1", "32.5", "all"] {
            let path = try file("callerWindow: \(wrong)\n")
            let error = #expect(throws: EpitopeError.self) { try LocalCenterConfiguration.load(path: path) }
            #expect(error?.code == .configurationInvalid, "\(wrong)")
        }
    }
}
