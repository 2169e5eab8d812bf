// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PacketCoding
import Scheduling
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import SecureChannel

/// A host with several centers of one site.
struct SeveralCentersTests {
    /// Runs two centers of one site, and a client that knows both, the first preferred.
    private func withTwo(_ body: @Sendable (_ first: TestCenter, _ second: TestCenter, CenterClient) async throws -> Void) async throws {
        try await TestCenter.run { first in
            try await TestCenter.run(beside: first) { second in
                let identity = try first.identity().at(CenterList([first.address, second.address]))
                let client = try CenterClient(identity, choice: CenterChoice(returns: Backoff(initial: .zero, maximum: .zero)))
                do {
                    try await body(first, second, client)
                    await client.shutdown()
                } catch {
                    await client.shutdown()
                    throw error
                }
            }
        }
    }

    @Test func `a host whose center has ended sends to the other one, and no longer asks the first with each packet`() async throws {
        try await withTwo { first, second, client in
            _ = try await client.send(Samples.packet())
            #expect(await first.service.packets.count == 1 && client.center == first.address)
            await first.group.triggerGracefulShutdown()
            try await eventually("the first no longer listens") {
                do { try await first.client { _ = try await $0.warmUp() } } catch let error as EpitopeError {
                    return error.code == .centerUnreachable
                }
                return false
            }
            for _ in 0..<3 { _ = try await client.send(Samples.packet()) }
            #expect(await second.service.packets.count == 3 && client.center == second.address)
            // A look whether the first is back finds that it is not, and costs no packet anything.
            try await client.warmUp()
            #expect(client.center == second.address)
        }
    }

    @Test func `it goes back to the preferred one when that answers again`() async throws {
        try await TestCenter.run { second in
            let first = try CenterAddress(host: "127.0.0.1", port: try LoopbackSocket.freePort())
            let identity = try second.identity().at(CenterList([first, second.address]))
            let client = try CenterClient(identity, choice: CenterChoice(returns: Backoff(initial: .zero, maximum: .zero)))
            _ = try await client.send(Samples.packet())
            #expect(client.center == second.address)
            try await TestCenter.run(beside: second, port: Int(first.port)) { _ in
                try await client.warmUp()
                #expect(client.center == first)
            }
            await client.shutdown()
        }
    }

    @Test func `a center that can't use its store is passed over`() async throws {
        try await withTwo { first, second, client in
            await first.service.fail(with: EpitopeError(.storeFailed, "the store failed", remedy: "look at it"))
            _ = try await client.send(Samples.packet())
            #expect(await second.service.packets.count == 1)
        }
    }

    @Test func `what concerns the sender, or a center that has too much to do, is no reason to ask the other one`() async throws {
        try await withTwo { first, second, client in
            for refusal in [EpitopeError.Code.senderOverShare, .storeBusy, .packetMalformed] {
                await first.service.fail(with: EpitopeError(refusal, "no", remedy: "wait"))
                #expect(await code { try await client.send(Samples.packet()) } == refusal)
            }
            await first.ledger.revoke(Identity(role: .host, name: "host-1"), nowMilliseconds: first.clock.now())
            #expect(await code { try await client.send(Samples.packet()) } == .revoked)
            #expect(await second.service.packets.isEmpty && client.center == first.address)
        }
    }

    @Test func `where none answers each is named`() async throws {
        let addresses = [try LoopbackSocket.freePort(), try LoopbackSocket.freePort()].compactMap {
            try? CenterAddress(host: "127.0.0.1", port: $0)
        }
        try await TestCenter.run { center in
            let client = try CenterClient(center.identity().at(CenterList(addresses)))
            let error = await #expect(throws: EpitopeError.self) { try await client.send(Samples.packet()) }
            #expect(error?.code == .centerUnreachable)
            for address in addresses { #expect(error?.message.contains(address.description) == true) }
            await client.shutdown()
        }
    }

    @Test func `a host enrols at the first center that answers, and knows them all`() async throws {
        try await TestCenter.run { center in
            let away = try CenterAddress(host: "127.0.0.1", port: try LoopbackSocket.freePort())
            let centers = try CenterList([away, center.address])
            let directory = "\(center.directory)/host"
            _ = try await EnrolmentClient.enroll(at: centers, token: try await center.token(), storingIn: directory)
            #expect(try StoredIdentity.load(from: directory).centers == centers)
        }
    }

    @Test func `a host stores the list that its center tells, and uses it when that center is gone`() async throws {
        try await TestCenter.run { first in
            try await TestCenter.run(beside: first) { second in
                let directory = "\(first.directory)/host"
                try first.identity().save(in: directory)
                let moved = Mutex<[CenterList]>([])
                let host = EnrolledClient(
                    directory: directory,
                    onEvent: { event in if case .moved(let centers) = event { moved.withLock { $0.append(centers) } } })
                let told = try CenterList([first.address, second.address])
                first.service.told.withLock { $0 = told.addresses.map(\.description) }
                await host.lookAfter()
                #expect(moved.withLock(\.self) == [told])
                #expect(try StoredIdentity.load(from: directory).centers == told)
                await first.group.triggerGracefulShutdown()
                try await eventually("the host's packets arrive at the second center") {
                    _ = try await host.send(EncodedPacket(Samples.packet()))
                    return await !second.service.packets.isEmpty
                }
                await host.shutdown()
            }
        }
    }

    @Test func `an identity that somebody removed isn't stored again`() async throws {
        try await TestCenter.run { center in
            let directory = "\(center.directory)/host"
            try center.identity().save(in: directory)
            let host = EnrolledClient(directory: directory, clock: center.clock.now, spread: 0)
            await host.lookAfter()
            try FileManager.default.removeItem(atPath: StoredIdentity.path(in: directory))
            center.service.told.withLock { $0 = [center.address.description, "https://127.0.0.1:1"] }
            await host.lookAfter()
            center.clock.advance(days: 61)
            _ = try await host.send(EncodedPacket(Samples.packet()))
            #expect(!FileManager.default.fileExists(atPath: StoredIdentity.path(in: directory)))
            await host.shutdown()
        }
    }

    @Test func `an identity that was stored for one center is read`() async throws {
        try await TestCenter.run { center in
            let directory = "\(center.directory)/host"
            let identity = try center.identity()
            try identity.save(in: directory)
            let path = StoredIdentity.path(in: directory)
            var content = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any])
            content["centers"] = nil
            try JSONSerialization.data(withJSONObject: content).write(to: URL(filePath: path))
            #expect(try StoredIdentity.load(from: directory).centers == CenterList(center.address))
        }
    }
}
