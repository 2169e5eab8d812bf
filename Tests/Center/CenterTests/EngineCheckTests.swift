// SPDX-License-Identifier: Apache-2.0

import Captures
import CenterAnalysis
import CenterStore
import EpitopeModel
import Foundation
import GRDB
import LocalCenter
import Logging
import PacketCoding
import Rendering
import SignatureProving
import Signatures
import SuricataDelivery
import Synchronization
import TestSupport
import Testing

/// An engine that answers as it is told, or not yet.
private final class FakeEngine: EngineChecking {
    enum Answer: Sendable {
        case outcome(Proof.Check.Outcome)
        case none
    }

    private let state: Mutex<(answers: [String: Answer], asked: [String])>
    private let other: Answer

    /// - Parameter answers: by signature; another one for all others.
    init(_ answers: [String: Answer] = [:], else other: Answer) {
        state = Mutex((answers, []))
        self.other = other
    }

    var asked: [String] { state.withLock { $0.asked } }

    func set(_ id: String, _ answer: Answer) { state.withLock { $0.answers[id] = answer } }

    func check(_ signature: Signature, over flows: [CapturedFlow]) async -> Proof.Check {
        state.withLock { $0.asked.append(signature.id) }
        while !Task.isCancelled {
            if case .outcome(let outcome) = state.withLock({ $0.answers[signature.id] }) ?? other {
                return Proof.Check(.engineFires, outcome, "over \(flows.count) flows")
            }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return Proof.Check(.engineFires, .notChecked, "ended")
    }
}

@Suite("Suricata's answer over the flow that carried an attack") struct EngineCheckTests {
    private let folder: TemporaryFolder
    /// The caller's address lies behind 64 of these bytes.
    private let code = InertInstructions.bytes(64, seed: 21) + InertInstructions.bytes(136, seed: 22)

    init() throws {
        folder = try TemporaryFolder()
    }

    private var packet: ExtractedPacket { packet(code, attack: 1) }

    private func packet(_ code: [UInt8], attack: UInt8) -> ExtractedPacket {
        var packet = Fixture.packet(attack: attack, host: "host-\(attack)", port: 80)
        packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
        packet.architecture = .x86_64
        packet.parameters.process.listening = [.init(transport: .tcp, local: SocketEndpoint(address: "0.0.0.0", port: 80))]
        return packet
    }

    private var window: Signature { Signature(tokens: [.init(bytes: Array(code[32..<64]))], context: .any) }

    private func writeCapture(_ request: [UInt8]) throws {
        let conversation = Conversation(isVersion6: false, clientPort: 40000, serverPort: 80)
        let frames = conversation.connection(request: request, response: [])
        try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: folder.path + "/site.pcap"))
    }

    private func withCenter(
        _ engine: any EngineChecking, ids: FakeIDS, _ body: (CenterStore, LocalCenterService) async throws -> Void
    ) async throws {
        var configuration = LocalCenterConfiguration()
        configuration.analysis.requireGoodware = false
        configuration.captures = [folder.path + "/site.pcap"]
        let store = try TestStore.open(path: folder.path + "/center.sqlite", clock: TestClock().clock)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let service = LocalCenterService(
            configuration: configuration, store: store, installer: ids, engine: engine, link: nil, logger: logger)
        let task = Task { try await service.run() }
        let result: Result<Void, any Error>
        do { result = .success(try await body(store, service)) } catch { result = .failure(error) }
        task.cancel()
        _ = await task.result
        try result.get()
    }

    private func check(_ ids: FakeIDS) async -> Proof.Check? { await ids.rules.last?.update.proof.check(.engineFires) }

    @Test func `a rule goes out before the engine has run, alerts until then, and may drop when the engine fires`() async throws {
        try writeCapture(HTTPText.request(body: code))
        let (engine, ids) = (FakeEngine(else: .none), FakeIDS(isDropping: true))
        try await withCenter(engine, ids: ids) { store, service in
            _ = try await service.receive(ReceivedPacket(packet), from: Fixture.host)
            try await eventually("delivered") { try await store.status(events: 10).deliveries == ["ids delivered": 1] }
            #expect(await check(ids)?.outcome == .notChecked)
            #expect(await ids.rules.map(\.update.mayDrop) == [false])
            engine.set(window.id, .outcome(.passed))
            try await eventually("delivered again") { await check(ids)?.outcome == .passed }
            #expect(await ids.rules.map(\.update.mayDrop) == [true])
            #expect(await ids.rules.map(\.update.revision) == [1])
            #expect(engine.asked == [window.id])
            try await eventually("told that it drops now") {
                let delivered = try await store.events(subject: window.id).filter { $0.step == .delivered }
                return delivered.map { $0.detail.prefix { $0 != ":" }.drop { $0 != "r" } } == ["revision 1 alerts", "revision 1 now drops"]
            }
        }
        // The quota counts the update once, and a center that starts again asks nothing.
        try await withCenter(engine, ids: ids) { store, service in
            await service.wake()
            try await Task.sleep(for: .milliseconds(300))
            #expect(engine.asked == [window.id])
            #expect(try await store.status(events: 10).deliveries == ["ids delivered": 1])
        }
    }

    @Test func `an answer that can't be stored keeps no other signature from being asked about`() async throws {
        let other = InertInstructions.bytes(64, seed: 31) + InertInstructions.bytes(136, seed: 32)
        try writeCapture(HTTPText.request(body: code + other))
        let (engine, ids) = (FakeEngine(else: .outcome(.passed)), FakeIDS(isDropping: true))
        try await withCenter(engine, ids: ids) { store, service in
            try await TestStore.refuse(
                "UPDATE OF body", on: "updates", when: "NEW.signature_id = '\(window.id)'", at: folder.path + "/center.sqlite")
            _ = try await service.receive(ReceivedPacket(packet), from: Fixture.host)
            try await eventually("the engine was asked") { engine.asked.contains(window.id) }
            let second = Identity(role: .host, name: "host-2")
            _ = try await service.receive(ReceivedPacket(packet(other, attack: 2)), from: second)
            try await eventually("the other one's answer counts") { await ids.rules.contains { $0.update.mayDrop } }
            #expect(await ids.rules.filter(\.update.mayDrop).allSatisfy { $0.update.signature.id != window.id })
        }
    }

    @Test func `where rules only alert none is installed again`() async throws {
        try writeCapture(HTTPText.request(body: code))
        let (engine, ids) = (FakeEngine(else: .outcome(.passed)), FakeIDS())
        try await withCenter(engine, ids: ids) { store, service in
            _ = try await service.receive(ReceivedPacket(packet), from: Fixture.host)
            try await eventually("answered") {
                try await store.status(events: 100).events.contains { $0.detail.contains("engine-fires: over 1 flows") }
            }
            try await eventually("delivered") { try await store.status(events: 10).deliveries == ["ids delivered": 1] }
            await service.wake()
            try await Task.sleep(for: .milliseconds(200))
            #expect(await ids.deliveries.count == 1)
        }
    }

    @Test func `a rule by which the engine does not fire leaves the IDS, and another one takes its place`() async throws {
        try writeCapture(HTTPText.request(body: code))
        let (engine, ids) = (FakeEngine([window.id: .outcome(.failed)], else: .outcome(.passed)), FakeIDS(isDropping: true))
        try await withCenter(engine, ids: ids) { store, service in
            _ = try await service.receive(ReceivedPacket(packet), from: Fixture.host)
            try await eventually("another rule") {
                let rules = await ids.rules
                return rules.count == 1 && rules[0].update.signature.id != window.id
                    && rules[0].update.proof.check(.engineFires)?.outcome == .passed
            }
            let refuted = try await store.status(events: 100).latestUpdates.first { $0.signatureID == window.id }
            #expect(refuted?.state == .unproven)
            #expect(engine.asked.count == 2)
        }
    }

    /// A center receives the packet, and its engine gives no answer.
    private func receiveUnanswered(_ store: CenterStore, _ service: LocalCenterService) async throws {
        _ = try await service.receive(ReceivedPacket(packet), from: Fixture.host)
        try await eventually("answered") {
            try await store.status(events: 100).events.contains { $0.detail.contains("engine-fires: not checked: over 1 flows") }
        }
    }

    @Test func `without an answer the rule alerts, and the reason is kept`() async throws {
        try writeCapture(HTTPText.request(body: code))
        let (engine, ids) = (FakeEngine(else: .outcome(.notChecked)), FakeIDS(isDropping: true))
        try await withCenter(engine, ids: ids) { store, service in
            try await receiveUnanswered(store, service)
            try await eventually("delivered") { try await store.status(events: 10).deliveries == ["ids delivered": 1] }
            #expect(await ids.rules.map(\.update.mayDrop) == [false])
        }
        // Asked again by a center that starts.
        engine.set(window.id, .outcome(.passed))
        try await withCenter(engine, ids: ids) { _, _ in
            try await eventually("delivered again") { await ids.rules.map(\.update.mayDrop) == [true] }
        }
    }

    @Test func `an engine without an answer is asked again`() async throws {
        try writeCapture(HTTPText.request(body: code))
        let (engine, ids) = (FakeEngine(else: .outcome(.notChecked)), FakeIDS(isDropping: true))
        try await withCenter(engine, ids: ids) { store, service in
            try await receiveUnanswered(store, service)
            engine.set(window.id, .outcome(.passed))
            try await eventually("it may drop") { await ids.rules.map(\.update.mayDrop) == [true] }
            #expect(engine.asked == [window.id, window.id])
        }
    }

    @Test func `without a carrier nothing waits for the engine`() async throws {
        try writeCapture(HTTPText.request(body: Array("nothing of it".utf8)))
        let (engine, ids) = (FakeEngine(else: .none), FakeIDS(isDropping: true))
        try await withCenter(engine, ids: ids) { store, service in
            _ = try await service.receive(ReceivedPacket(packet), from: Fixture.host)
            try await eventually("delivered") { try await store.status(events: 10).deliveries == ["ids delivered": 1] }
            #expect(await check(ids) == nil)
            #expect(await ids.rules.map(\.update.mayDrop) == [false], "no flow shows it, so a second host has to say the same")
            var second = packet
            second.id = String(repeating: "2", count: 32)
            second.parameters.system.hostID = "host-2"
            _ = try await service.receive(ReceivedPacket(second), from: Identity(role: .host, name: "host-2"))
            try await eventually("it may drop") { await ids.rules.map(\.update.mayDrop) == [true] }
            #expect(engine.asked.isEmpty)
        }
    }

    /// Recorders write in steps: a proof is mostly made before they have the flow.
    @Test func `a rule that alerts at its reporter is for the whole site, and may drop, when captures have the flow later`() async throws {
        try writeCapture(HTTPText.request(body: Array("nothing of it".utf8)))
        let (engine, ids) = (FakeEngine(else: .none), FakeIDS(isDropping: true))
        try await withCenter(engine, ids: ids) { store, service in
            var received = try ReceivedPacket(packet)
            received.source = IPAddress("192.0.2.1")
            _ = try await service.receive(received, from: Fixture.host)
            try await eventually("delivered") { try await store.status(events: 10).deliveries == ["ids delivered": 1] }
            #expect(await ids.rules.map(\.update.support?.narrowedTo) == [[try #require(IPAddress("192.0.2.1"))]])
            try writeCapture(HTTPText.request(body: code))
            try await eventually("for the whole site") { await ids.rules.map(\.update.support?.narrowedTo) == [nil] }
            #expect(await ids.rules.map(\.update.mayDrop) == [false], "the engine has not run")
            engine.set(window.id, .outcome(.passed))
            try await eventually("it may drop") { await ids.rules.map(\.update.mayDrop) == [true] }
            #expect(await ids.rules.map(\.update.revision) == [1])
            #expect(engine.asked == [window.id])
            let graded = try await store.events(subject: window.id).filter { $0.step == .graded }.map(\.detail)
            #expect(graded == ["revision 1: corroborated: 1 reporter, 100 of 100 points"])
        }
    }

    /// The real Suricata over a chunked body whose chunks cut the code: the rule names the buffer.
    @Test func `Suricata fires over a chunked body by a rule for the body`() async throws {
        try writeCapture(HTTPText.chunkedRequest(body: code, chunk: 48))
        let ids = FakeIDS(isDropping: true)
        let engine = SuricataEngineCheck(SuricataSettings(action: .drop), readingTime: .seconds(20))
        try await withCenter(engine, ids: ids) { store, service in
            let began = ContinuousClock.now
            _ = try await service.receive(ReceivedPacket(packet), from: Fixture.host)
            try await eventually("delivered") { try await store.status(events: 10).deliveries == ["ids delivered": 1] }
            let live = ContinuousClock.now
            try await eventually("may drop") { await ids.rules.map(\.update.mayDrop) == [true] }
            print(
                "rule delivered \((live - began) / .milliseconds(1)) ms after the packet, allowed to drop after \((ContinuousClock.now - began) / .milliseconds(1)) ms"
            )
            let update = try #require(await ids.rules.last?.update)
            #expect(
                update.signature.context == SignatureContext(transport: .tcp, ports: [80], direction: .toService, buffer: .httpRequestBody))
            #expect(update.signature.id == window.id)
            #expect(update.proof.check(.onTheWire)?.detail.contains("http-request-body") == true)
            #expect(update.proof.check(.engineFires)?.detail.contains("fires inline and fires where it listens") == true)
            #expect(try SuricataRendering.render(RuleInput(#require(await ids.rules.last))).contains("; http.request_body; content:"))
        }
        // The same attack again renews nothing: the traffic is the same.
        try await withCenter(engine, ids: ids) { store, service in
            var again = packet
            again.id = String(packet.id.reversed())
            _ = try await service.receive(ReceivedPacket(again), from: Fixture.host)
            try await eventually("analysed") { try await store.status(events: 10).reports == ["analysed": 2] }
            #expect(try await store.status(events: 10).deliveries == ["ids delivered": 1])
        }
    }
}
