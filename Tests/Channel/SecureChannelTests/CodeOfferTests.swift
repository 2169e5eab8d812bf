// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import PacketCoding
import TestSupport
import Testing

@testable import SecureChannel

struct CodeOfferTests {
    private static let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 31) }

    private static func packet(_ number: Int = 0, code: [UInt8] = bytes, hostID: String = "host-1") -> ExtractedPacket {
        let digits = String(number)
        var packet = Samples.packet(id: String(repeating: "0", count: 32 - digits.utf8.count) + digits, hostID: hostID)
        packet.content = .code(ExtractedCode(base: 0x1000, bytes: code, isWholeRegion: true))
        packet.callersAddress = 0x1000 + 64
        return packet
    }

    private static func offer(_ packet: ExtractedPacket = packet()) throws -> CodeOffer {
        try #require(CodeOffer(EncodedPacket(packet)))
    }

    @Test
    func `A code goes whole once, and later packets with it are offered and arrive the same`() async throws {
        try await TestCenter.run { center in
            try await center.client { client in
                _ = try await client.send(Self.packet(1))
                #expect(await center.service.askedCodes.isEmpty, "the first report of an attack does not wait for an answer to an offer")
                await center.service.hold(Self.bytes)
                for number in 2...3 { #expect(try await client.send(Self.packet(number)).id == Self.packet(number).id) }
            }
            #expect(await center.service.packets == (1...3).map { Self.packet($0) })
            #expect(await center.service.received.map(\.bytes) == (1...3).map { Self.packet($0).encoded() })
            let digest = try Self.offer().digest
            #expect(await center.service.askedCodes == [digest, digest])
        }
    }

    @Test
    func `A center that no longer has the code gets the packet whole`() async throws {
        try await TestCenter.run { center in
            try await center.client { client in
                for number in 1...2 {
                    let receipt = try await client.send(Self.packet(number))
                    #expect(receipt.id == Self.packet(number).id)
                }
            }
            #expect(await center.service.askedCodes.count == 1)
            #expect(await center.service.packets == (1...2).map { Self.packet($0) })
        }
    }

    @Test
    func `While a center is busy every packet is offered, and a busy center is left alone`() async throws {
        try await TestCenter.run { center in
            try await center.client { client in
                await center.service.fail(with: EpitopeError(.storeBusy, "busy", remedy: "wait", retryAfterSeconds: 2))
                #expect(await code { try await client.send(Self.packet(1)) } == .storeBusy)
                await center.service.hold(Self.bytes)
                // Offered, and refused again: it is not sent whole after that.
                let error = await #expect(throws: EpitopeError.self) { try await client.send(Self.packet(1)) }
                #expect(error?.code == .storeBusy && error?.retryAfterSeconds == 2)
                #expect(await center.service.askedCodes.count == 1)
            }
        }
    }

    @Test
    func `A center of an earlier version is not offered anything for a time`() throws {
        var offers = CodeOffers()
        let (offer, start) = (try Self.offer(), ContinuousClock.now)
        #expect(!offers.isDue(offer, now: start))
        offers.acknowledged(offer)
        #expect(offers.isDue(offer, now: start))
        offers.refused(with: .notServedHere, now: start)
        #expect(!offers.isDue(offer, now: start + .seconds(3599)))
        #expect(offers.isDue(offer, now: start + .seconds(3600)))
        for number in 0..<CodeOffers.maxKnown {
            let other = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* (number + 2)) }
            offers.acknowledged(try Self.offer(Self.packet(code: other)))
        }
        #expect(!offers.isDue(offer, now: start + .seconds(4000)), "what was long ago is forgotten")
    }

    /// What is offered is checked as what is sent whole.
    @Test
    func `An offer that is no packet of its sender is refused`() async throws {
        let offer = try Self.offer()
        let short = Array(Self.bytes.dropLast())
        let digest = Hex.encode(Array(SHA256.hash(data: short)))
        let cases: [(String, [UInt8], EpitopeError.Code)] = [
            (offer.path, offer.frame, .codeWanted),
            ("\(ChannelPath.offers)?code=\(digest)&at=\(offer.place)", offer.frame, .packetMalformed),
            ("\(ChannelPath.offers)?code=\(digest)&at=0", offer.frame, .packetMalformed),
            ("\(ChannelPath.offers)?code=\(digest)&at=-1", offer.frame, .requestMalformed),
            ("\(ChannelPath.offers)?code=\(digest)&at=99999", offer.frame, .requestMalformed),
            ("\(ChannelPath.offers)?code=\(digest.dropLast())&at=0", offer.frame, .requestMalformed),
            ("\(ChannelPath.offers)?code=\(digest.dropLast())g&at=0", offer.frame, .requestMalformed),
            (ChannelPath.offers, offer.frame, .requestMalformed),
            (offer.path, [UInt8](repeating: 0, count: ExtractedPacket.maxEncodedBytes + 1), .packetTooLarge),
        ]
        try await TestCenter.run { center in
            await center.service.hold(short)
            try await center.transport(credentials: try center.identity()) { transport in
                for (path, frame, expected) in cases {
                    #expect(await code { try await transport.postProtobuf(path, frame) } == expected, "\(path)")
                }
                await center.service.hold(Self.bytes)
                var outside = Self.packet()
                outside.callersAddress = 0x9999
                for (packet, expected) in [
                    (outside, EpitopeError.Code.callerOutsideCode), (Self.packet(hostID: "host-2"), .identityMismatch),
                ] {
                    let offer = try Self.offer(packet)
                    #expect(await code { try await transport.postProtobuf(offer.path, offer.frame) } == expected)
                }
            }
            try await center.transport(credentials: try center.identity(.localCenter, "host-1")) { transport in
                #expect(await code { try await transport.postProtobuf(offer.path, offer.frame) } == .roleNotAllowed)
            }
            try await center.transport(credentials: nil) { transport in
                #expect(await code { try await transport.postProtobuf(offer.path, offer.frame) } == .certificateRequired)
            }
            #expect(await center.service.packets.isEmpty)
        }
    }
}
