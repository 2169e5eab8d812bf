// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PacketCoding
import ServiceLifecycle
import Signatures
import TestSupport
import Testing

@testable import SecureChannel

struct CenterClientTests {
    static func update(revision: Int = 1) -> SignatureUpdate {
        let signature = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any)
        return SignatureUpdate(
            signature: signature, revision: revision, origin: .site, createdMilliseconds: 1_700_000_000_000,
            lifetimeDays: 90,
            proof: Proof(checks: [.init(.init(rawValue: "matches-samples"), passed: true, "1 of 1 packets of the cluster matched")]))
    }

    @Test
    func `A client gets a receipt for a packet that the service received whole, from the right sender`() async throws {
        try await TestCenter.run { center in
            let first = try await center.client { client in
                try await client.warmUp()
                let first = try await client.send(Samples.packet())
                let second = try await client.send(Samples.packet())
                #expect(second.wasKnown)
                return first
            }
            #expect(first.id == Samples.packet().id && !first.wasKnown)
            #expect(first.storedMilliseconds == RecordingService.storedMilliseconds)
            #expect(await center.service.packets == [Samples.packet(), Samples.packet()])
            #expect(await center.service.received.map(\.bytes) == [Samples.packet().encoded(), Samples.packet().encoded()])
            #expect(await center.service.senders.first == Identity(role: .host, name: "host-1"))
        }
    }

    @Test
    func `A client takes no receipt for another message`() async throws {
        try await TestCenter.run { center in
            await center.service.giveReceipts(for: String(repeating: "0", count: 32))
            try await center.client { client in
                #expect(await code { try await client.send(Samples.packet()) } == .answerMalformed)
            }
        }
    }

    @Test
    func `A local center forwards packets, publishes updates and fetches them`() async throws {
        try await TestCenter.run { center in
            let forward = ForwardedPacket(
                packet: Samples.packet(), reporter: "host-1", signature: Self.update().signature)
            try await center.client(try center.identity(.localCenter, "site-2")) { client in
                #expect(try await client.forward(forward).id == forward.id)
                #expect(try await client.publish(Self.update()).id == Self.update().signature.id)
                #expect(try await client.updates(after: .start, waitSeconds: 0) == FeedPage())
                for sequence in 1...3 {
                    await center.service.publish(
                        FeedEntry(sequence: Int64(sequence), update: Self.update(revision: sequence)))
                }
                let position = FeedPosition(sequence: 1, mark: .max)
                let news = try await client.updates(after: position, waitSeconds: 0)
                #expect(news.entries.map(\.sequence) == [2, 3])
                #expect(news.entries.map(\.update?.revision) == [2, 3])
                #expect(!news.isFromStart)
                #expect(await center.service.asked == [.start, position])
                await center.service.beginAnew()
                #expect(try await client.updates(after: position, waitSeconds: 0).isFromStart)
            }
            #expect(await center.service.forwards == [forward])
            #expect(await center.service.published == [Self.update()])
            #expect(await center.service.senders.allSatisfy { $0 == Identity(role: .localCenter, name: "site-2") })
        }
    }

    @Test
    func `A client that waits for updates gets one as soon as it is published`() async throws {
        try await TestCenter.run { center in
            let news = try await center.client(try center.identity(.localCenter, "site-2")) { client in
                async let waiting = client.updates(after: FeedPosition(sequence: 7), waitSeconds: 60)
                while await center.service.waitingSubscribers == 0 { try await Task.sleep(for: .milliseconds(5)) }
                await center.service.publish(FeedEntry(sequence: 8, update: Self.update()))
                return try await waiting
            }
            #expect(news.entries == [FeedEntry(sequence: 8, update: Self.update())])
        }
    }

    @Test
    func `A client that waits for updates is answered at once when the center shuts down`() async throws {
        try await TestCenter.run { center in
            let news = try await center.client(try center.identity(.localCenter, "site-2")) { client in
                async let waiting = client.updates(after: .start, waitSeconds: 60)
                while await center.service.waitingSubscribers == 0 { try await Task.sleep(for: .milliseconds(5)) }
                await center.group.triggerGracefulShutdown()
                return try await waiting
            }
            #expect(news == FeedPage())
        }
    }

    @Test
    func `A center renews its own expiring certificate and uses it without a restart`() async throws {
        try await TestCenter.run(madeDaysAgo: 70) { center in
            let directory = "\(center.directory)/authority"
            let before = center.firstCertificate
            var current = before
            while current.chainPEM == before.chainPEM {
                try await Task.sleep(for: .milliseconds(5))
                current = try ServerCertificate.load(from: directory, authorities: CenterAuthorities(center.authority.certificate))
            }
            let expected = try PEM.der(try PEM.certificate(current.chainPEM[0], from: "test"))
            while try await PresentedChain.read(from: center.address).first != expected {
                try await Task.sleep(for: .milliseconds(5))
            }
            let receipt = try await center.client { try await $0.send(Samples.packet()) }
            #expect(receipt.id == Samples.packet().id)
        }
    }

    @Test
    func `A client reports a center that does not answer`() async throws {
        let identity = try await TestCenter.run { try $0.identity() }
        let client = try CenterClient(identity)
        let error = await #expect(throws: EpitopeError.self) { try await client.send(Samples.packet()) }
        #expect(error?.code == .centerUnreachable)
        #expect(error?.message == "the center at \(identity.center) can't be reached: connection refused")
        await client.shutdown()
    }

    @Test
    func `A client sends nothing to a center with another authority or another name`() async throws {
        try await TestCenter.run { center in
            try await TestCenter.run { other in
                let own = try center.identity()
                let astray = try StoredIdentity(
                    centers: CenterList(other.address), keyPEM: own.keyPEM, certificatePEM: own.certificatePEM,
                    authorityPEM: own.authorityPEM)
                try await center.client(astray) { client in
                    #expect(await code { try await client.send(Samples.packet()) } == .centerWrong)
                }
                #expect(await other.service.packets.isEmpty)
            }
        }
        try await TestCenter.run(names: ["127.0.0.2"]) { center in
            try await center.client { client in
                #expect(await code { try await client.send(Samples.packet()) } == .centerWrong)
            }
            #expect(await center.service.packets.isEmpty)
        }
    }
}
