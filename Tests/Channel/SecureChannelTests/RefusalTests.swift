// SPDX-License-Identifier: Apache-2.0

import CenterServer
import EpitopeModel
import PacketCoding
import Signatures
import TestSupport
import Testing

@testable import SecureChannel

struct RefusalTests {
    /// The code with which a center refuses a packet; the service must not have received it.
    private func refusal(
        of packet: ExtractedPacket = Samples.packet(), from identity: StoredIdentity?, at center: TestCenter
    ) async throws -> EpitopeError.Code? {
        let refusal = try await center.transport(credentials: identity) { transport in
            await code { try await transport.postProtobuf(ChannelPath.packets, packet.encoded()) }
        }
        #expect(await center.service.packets.isEmpty)
        return refusal
    }

    @Test
    func `A sender without a certificate is refused`() async throws {
        try await TestCenter.run { center in
            let refusal = try await refusal(from: nil, at: center)
            #expect(refusal == .certificateRequired)
        }
    }

    @Test
    func `A sender with a certificate of another authority is refused`() async throws {
        try await TestCenter.run { center in
            let foreign = try await TestCenter.run { try $0.identity() }
            #expect(try await refusal(from: foreign, at: center) == .certificateForeign)
        }
    }

    @Test
    func `A sender whose certificate has expired is refused, also while a connection is open`() async throws {
        try await TestCenter.run { center in
            let old = try center.identity()
            center.clock.advance(days: 91)
            #expect(try await refusal(from: old, at: center) == .certificateExpired)
            try await center.client { client in
                try await client.warmUp()
                center.clock.advance(days: 91)
                #expect(await code { try await client.send(Samples.packet()) } == .certificateExpired)
                #expect(await code { try await client.warmUp() } == .certificateExpired)
            }
            #expect(await center.service.packets.isEmpty)
        }
    }

    @Test
    func `A revoked sender is refused, also while a connection is open, until it has enrolled again`() async throws {
        try await TestCenter.run { center in
            try await center.client { client in
                try await client.warmUp()
                await center.ledger.revoke(client.identity.subject, nowMilliseconds: center.clock.now())
                #expect(await code { try await client.send(Samples.packet()) } == .revoked)
                #expect(await code { try await client.renew(storingIn: center.directory) } == .revoked)
            }
            #expect(await center.service.packets.isEmpty)
            center.clock.advance(days: 1)
            let again = try center.identity()
            let receipt = try await center.client(again) { try await $0.send(Samples.packet()) }
            #expect(receipt.id == Samples.packet().id)
        }
    }

    @Test
    func `Who enrols again right after a revocation is let in, though certificates are dated back`() async throws {
        try await TestCenter.run { center in
            let old = try center.identity()
            await center.ledger.revoke(old.subject, nowMilliseconds: center.clock.now())
            let directory = "\(center.directory)/host"
            let again = try await EnrolmentClient.enroll(
                at: CenterList(center.address), token: try await center.token(), storingIn: directory)
            #expect(again.beginsMilliseconds < center.clock.now() - 3_500_000)
            #expect(try await center.client(again) { try await $0.send(Samples.packet()) }.id == Samples.packet().id)
            try await center.client(old) { client in
                #expect(await code { try await client.send(Samples.packet()) } == .revoked)
            }
        }
    }

    @Test
    func `What was issued while the clock was ahead is revoked with the rest, and who enrols again is let in at once`() async throws {
        try await TestCenter.run { center in
            center.clock.advance(days: 30)
            let old = try await EnrolmentClient.enroll(
                at: CenterList(center.address), token: try await center.token(), storingIn: "\(center.directory)/old")
            center.clock.advance(days: -30)
            await center.ledger.revoke(old.subject, nowMilliseconds: center.clock.now())
            let again = try await EnrolmentClient.enroll(
                at: CenterList(center.address), token: try await center.token(), storingIn: "\(center.directory)/again")
            for days in [0, 31] as [Int64] {
                center.clock.advance(days: days)
                #expect(try await center.client(again) { try await $0.send(Samples.packet()) }.id == Samples.packet().id)
            }
            try await center.client(old) { client in
                #expect(await code { try await client.send(Samples.packet()) } == .revoked)
            }
            await center.ledger.revoke(old.subject, nowMilliseconds: center.clock.now())
            try await center.client(again) { client in
                #expect(await code { try await client.send(Samples.packet()) } == .revoked)
            }
        }
    }

    @Test
    func `A center whose clock was set back by less than an hour knows its hosts, and by more says which clock is behind`() async throws {
        try await TestCenter.run { center in
            let identity = try center.identity()
            center.clock.advance(by: .seconds(-3000))
            #expect(try await center.client(identity) { try await $0.send(Samples.packet()) }.id == Samples.packet().id)
            center.clock.advance(by: .seconds(-7200))
            try await center.client(identity) { client in
                let error = await #expect(throws: EpitopeError.self) { try await client.send(Samples.packet()) }
                #expect(error?.code == .certificateNotYetValid)
                #expect(error?.message.contains("the center's clock is behind") == true, "\(String(describing: error))")
            }
            center.clock.advance(by: .seconds(7200))
            #expect(try await center.client(identity) { try await $0.send(Samples.packet()) }.wasKnown)
        }
    }

    @Test
    func `While the center's clock is off, and it knows that, certificates in force by its steady clock are not refused`() async throws {
        try await TestCenter.run(steadyClock: TestClock()) { center in
            let identity = try center.identity()
            for days in [0, 100, -100] as [Int64] {
                center.clock.advance(days: days)
                try await center.client(identity) { client in _ = try await client.warmUp() }
                center.clock.advance(days: -days)
            }
        }
    }

    @Test
    func `A certificate that has ended may be renewed for a time, unless it is revoked, and does nothing else`() async throws {
        try await TestCenter.run { center in
            let directory = center.directory
            func renew(_ identity: StoredIdentity) async -> EpitopeError.Code? {
                do {
                    _ = try await center.client(identity) { try await $0.renew(storingIn: directory) }
                    return nil
                } catch {
                    return (error as? EpitopeError)?.code
                }
            }
            let (one, other, late) = (try center.identity(), try center.identity(.host, "host-2"), try center.identity(.host, "host-3"))
            center.clock.advance(days: 120)
            #expect(try await refusal(from: one, at: center) == .certificateExpired)
            #expect(await renew(one) == nil)
            await center.ledger.revoke(other.subject, nowMilliseconds: center.clock.now())
            #expect(await renew(other) == .revoked)
            center.clock.advance(days: 61)
            #expect(await renew(late) == .certificateExpired)
        }
    }

    @Test
    func `A sender without the role for a message is refused`() async throws {
        try await TestCenter.run { center in
            #expect(
                try await refusal(from: try center.identity(.localCenter, "host-1"), at: center) == .roleNotAllowed)
            try await center.client { host in
                let forward = ForwardedPacket(
                    packet: Samples.packet(), reporter: "host-1", signature: CenterClientTests.update().signature)
                #expect(await code { try await host.forward(forward) } == .roleNotAllowed)
                #expect(await code { try await host.publish(CenterClientTests.update()) } == .roleNotAllowed)
                #expect(await code { try await host.updates(after: .start, waitSeconds: 0) } == .roleNotAllowed)
            }
            #expect(await center.service.senders.isEmpty)
        }
    }

    @Test
    func `A message that names another host is refused`() async throws {
        try await TestCenter.run { center in
            let other = Samples.packet(hostID: "host-2")
            #expect(try await refusal(of: other, from: try center.identity(), at: center) == .identityMismatch)
            let forward = ForwardedPacket(
                packet: Samples.packet(), reporter: "host-2", signature: CenterClientTests.update().signature)
            try await center.client(try center.identity(.localCenter, "site-2")) { client in
                #expect(await code { try await client.forward(forward) } == .identityMismatch)
            }
            #expect(await center.service.forwards.isEmpty)
        }
    }

    @Test
    func `A packet that is too large, truncated, garbled, or of an unknown version is refused`() async throws {
        try await TestCenter.run { center in
            let good = Samples.packet().encoded()
            var future = good
            // The first field of every message is its version: tag 0x08, then the number.
            try #require(future[0] == 0x08 && future[1] == 0x01)
            future[1] = 0x63
            let cases: [([UInt8], EpitopeError.Code)] = [
                ([UInt8](repeating: 0, count: ExtractedPacket.maxEncodedBytes + 1), .packetTooLarge),
                ([UInt8](repeating: 0, count: 4 << 20), .packetTooLarge),
                (Array(good.dropLast(3)), .packetMalformed), (Array(repeating: 0xff, count: 500), .packetMalformed),
                (future, .packetVersionUnknown),
            ]
            try await center.transport(credentials: try center.identity()) { transport in
                for (bytes, expected) in cases {
                    #expect(await code { try await transport.postProtobuf(ChannelPath.packets, bytes) } == expected)
                }
                // The center still accepts a good one.
                _ = try await transport.postProtobuf(ChannelPath.packets, good)
            }
            #expect(await center.service.packets == [Samples.packet()])
        }
    }

    @Test
    func `A packet whose caller's address is outside its code is refused`() async throws {
        try await TestCenter.run { center in
            var packet = Samples.packet()
            packet.callersAddress = 0x9999
            let refusal = try await refusal(of: packet, from: try center.identity(), at: center)
            #expect(refusal == .callerOutsideCode)
        }
    }

    @Test
    func `A request for a service that the center does not offer is refused`() async throws {
        try await TestCenter.run(accepts: [.packets]) { center in
            try await center.client(try center.identity(.localCenter, "site-2")) { client in
                #expect(await code { try await client.publish(CenterClientTests.update()) } == .notServedHere)
                #expect(await code { try await client.updates(after: .start, waitSeconds: 0) } == .notServedHere)
            }
            try await center.transport(credentials: nil) { transport in
                #expect(await code { try await transport.get("/v1/nothing", waitSeconds: 0) } == .notServedHere)
                #expect(
                    await code { try await transport.postProtobuf(ChannelPath.enroll, [UInt8](repeating: 0, count: 40_000)) }
                        == .requestTooLarge)
                #expect(
                    await code { try await transport.postProtobuf(ChannelPath.enroll, [1, 2, 3]) } == .requestMalformed)
            }
        }
    }

    private static let busy: [(String, Int?, Int?)] = [
        ("store-busy", 7, 7), ("sender-busy", 2, 2), ("disk-full", nil, 5), ("store-unusable", nil, 5), ("store-busy", 86_400, 3600),
        ("packet-malformed", 9, nil),
    ]

    @Test(arguments: busy)
    func `A center that is busy says when to come back`(code: String, says: Int?, expected: Int?) async throws {
        try await TestCenter.run { center in
            await center.service.fail(with: EpitopeError(.init(code), "busy", remedy: "wait", retryAfterSeconds: says))
            try await center.client { client in
                let error = await #expect(throws: EpitopeError.self) { try await client.send(Samples.packet()) }
                #expect(error?.code.rawValue == code && error?.retryAfterSeconds == expected)
            }
        }
    }

    @Test
    func `A center gives only an id of its own failures, and passes on the errors of its service`() async throws {
        struct Secret: Error { let detail = "disk /var/secret" }
        try await TestCenter.run { center in
            try await center.client { client in
                await center.service.fail(with: Secret())
                let error = await #expect(throws: EpitopeError.self) { try await client.send(Samples.packet()) }
                #expect(error?.code == .internalFailure)
                #expect(error?.description.contains("secret") == false)
                await center.service.fail(
                    with: EpitopeError(.diskFull, "no room", remedy: "make room"))
                #expect(await code { try await client.send(Samples.packet()) } == .diskFull)
            }
        }
    }
}
