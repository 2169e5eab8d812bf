// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterServer
import CenterStore
import EpitopeModel
import GlobalCenter
import LocalCenter
import Logging
import PacketCoding
import Signatures
import TestSupport
import Testing

@Suite("The global center correlates over sites and publishes")
struct GlobalCenterTests {
    private let folder: TemporaryFolder
    private let store: CenterStore

    init() throws {
        folder = try TemporaryFolder()
        store = try CenterStore(path: folder.path + "/global.sqlite", clock: TestClock().clock)
    }

    private func withCenter(
        threshold: Int = 100, _ body: (GlobalCenterService) async throws -> Void
    ) async throws {
        var configuration = GlobalCenterConfiguration()
        configuration.analysis.thresholdPoints = threshold
        configuration.analysis.requireGoodware = false
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let service = GlobalCenterService(configuration: configuration, store: store, logger: logger)
        let task = Task { try await service.run() }
        do {
            try await body(service)
        } catch {
            task.cancel()
            throw error
        }
        task.cancel()
        _ = await task.result
    }

    private func forward(attack: UInt8, number: Int = 0, signature: Signature? = nil) -> ForwardedPacket {
        ForwardedPacket(
            packet: Fixture.packet(attack: attack, number: number), reporter: "host-1",
            signature: signature ?? Fixture.signature(attack: attack))
    }

    private func site(_ name: String) -> Identity {
        Identity(role: .localCenter, name: name)
    }

    @Test func `a forwarded attack is published`() async throws {
        try await withCenter { center in
            let receipt = try await center.receive(forward(attack: 1), from: site("a"))
            #expect(receipt.id == forward(attack: 1).id)
            let updates = try await center.updates(after: 0, waitSeconds: 60, for: site("b"))
            #expect(updates.map(\.sequence) == [1])
            #expect(updates.first?.update.signature == Fixture.signature(attack: 1))
            #expect(updates.first?.update.origin == .global(sequence: 1))
            #expect(updates.first?.update.proof.passed == true)
            #expect(try await center.updates(after: 1, waitSeconds: 0, for: site("b")).isEmpty)
        }
    }

    @Test func `one site counts once however many of its hosts report`() async throws {
        try await withCenter(threshold: 200) { center in
            for number in 0..<3 {
                _ = try await center.receive(forward(attack: 1, number: number), from: site("a"))
            }
            try await eventually("all are analysed") {
                try await store.status().reports == ["analysed": 3]
            }
            #expect(try await store.published(after: 0).isEmpty)
            _ = try await center.receive(forward(attack: 1, number: 9), from: site("b"))
            #expect(try await center.updates(after: 0, waitSeconds: 60, for: site("a")).count == 1)
        }
    }

    @Test func `a host that reports directly is a reporter of its own`() async throws {
        try await withCenter(threshold: 200) { center in
            _ = try await center.receive(forward(attack: 1), from: site("host-1"))
            _ = try await center.receive(ReceivedPacket(Fixture.packet(attack: 1, number: 5)), from: Fixture.host)
            #expect(try await center.updates(after: 0, waitSeconds: 60, for: site("a")).count == 1)
        }
    }

    @Test func `a packet sent directly and forwarded counts once`() async throws {
        try await withCenter(threshold: 200) { center in
            _ = try await center.receive(ReceivedPacket(Fixture.packet(attack: 1)), from: Fixture.host)
            #expect(try await center.receive(forward(attack: 1), from: site("a")).wasKnown)
        }
    }

    @Test func `a site's update counts as its evidence`() async throws {
        try await withCenter { center in
            let update = Fixture.update(attack: 1)
            let receipt = try await center.receive(update, from: site("a"))
            #expect(receipt.id == update.signature.id)
            let published = try await center.updates(after: 0, waitSeconds: 60, for: site("b"))
            #expect(published.first?.update.signature == update.signature)
        }
    }

    @Test func `a signature that does not match its packet is replaced by the window`() async throws {
        try await withCenter { center in
            let foreign = forward(attack: 1, signature: Fixture.signature(attack: 2))
            _ = try await center.receive(foreign, from: site("a"))
            let updates = try await center.updates(after: 0, waitSeconds: 60, for: site("b"))
            #expect(updates.first?.update.signature.tokens == Fixture.signature(attack: 1).tokens)
        }
    }

    @Test func `a malformed signature is refused`() async throws {
        try await withCenter { center in
            let bad = forward(attack: 1, signature: Signature(tokens: [], context: .any))
            let error = await #expect(throws: EpitopeError.self) { try await center.receive(bad, from: site("a")) }
            #expect(error?.code == .signatureMalformed)
        }
    }

    @Test func `a waiting subscriber is woken by the publication`() async throws {
        try await withCenter { center in
            async let waiting = center.updates(after: 0, waitSeconds: 60, for: site("b"))
            _ = try await center.receive(forward(attack: 1), from: site("a"))
            #expect(try await waiting.count == 1)
        }
    }

    @Test func `a subscriber that leaves gets an empty answer`() async throws {
        try await withCenter { center in
            let waiting = Task { try await center.updates(after: 0, waitSeconds: 60, for: site("b")) }
            waiting.cancel()
            let found = try await waiting.value
            #expect(found.isEmpty)
        }
    }

    @Test func `a withdrawn update is no longer published`() async throws {
        try await withCenter { center in
            _ = try await center.receive(forward(attack: 1), from: site("a"))
            _ = try await center.updates(after: 0, waitSeconds: 60, for: site("b"))
            try await store.withdraw(signatureID: Fixture.signature(attack: 1).id, reason: "false alarm")
            #expect(try await center.updates(after: 0, waitSeconds: 0, for: site("b")).isEmpty)
        }
    }

    @Test func `hosts can be excluded`() throws {
        var configuration = GlobalCenterConfiguration()
        configuration.acceptsHosts = false
        let service = GlobalCenterService(configuration: configuration, store: store, logger: Logger(label: "test"))
        #expect(!service.accepts.contains(.packets))
        #expect(service.accepts.contains(.forwards))
    }
}
