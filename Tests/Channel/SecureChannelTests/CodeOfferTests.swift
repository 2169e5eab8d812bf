// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import PacketCoding
import Signatures
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
    func `What sites forward goes without code that the center has, too`() async throws {
        let forwards = (1...4).map { number in
            ForwardedPacket(packet: Self.packet(number), reporter: "host-1", signature: CenterClientTests.update().signature)
        }
        try await TestCenter.run { center in
            try await center.client(try center.identity(.localCenter, "site-2")) { client in
                for (number, forward) in forwards[..<3].enumerated() {
                    // At the second one the center has lost it.
                    if number == 2 { await center.service.hold(Self.bytes) }
                    let receipt = try await client.forward(forward)
                    #expect(receipt.id == forward.id)
                    #expect(await center.service.askedCodes.count == number)
                }
            }
            #expect(await center.service.forwards == Array(forwards[..<3]))
            let digest = try Self.offer().digest
            #expect(await center.service.askedCodes == [digest, digest])
            let offer = try #require(CodeOffer(forward: forwards[3].encoded()))
            #expect(offer.frame.count + Self.bytes.count == forwards[3].encoded().count && offer.digest == digest)
            try await center.transport(credentials: try center.identity(.host, "host-1")) { transport in
                #expect(await code { try await transport.postProtobuf(offer.path, offer.frame) } == .roleNotAllowed)
            }
            var foreign = forwards[3]
            foreign.reporter = "host-2"
            let forged = try #require(CodeOffer(forward: foreign.encoded()))
            try await center.transport(credentials: try center.identity(.localCenter, "site-2")) { transport in
                #expect(await code { try await transport.postProtobuf(forged.path, forged.frame) } == .identityMismatch)
            }
        }
    }

    /// A host that knows a code can learn by its offer whether the center has it: the receipt tells. It gets nothing of anybody's.
    @Test
    func `An offer tells whether the center has the code, and nothing of who reported it`() async throws {
        try await TestCenter.run { center in
            let offer = try Self.offer()
            try await center.transport(credentials: try center.identity()) { transport in
                #expect(await code { try await transport.postProtobuf(offer.path, offer.frame) } == .codeWanted)
                await center.service.hold(Self.bytes)
                let answer = try await transport.postProtobuf(offer.path, offer.frame)
                let receipt = try Receipt(encoded: answer)
                // The same that a packet gets that is sent whole.
                let whole = try await transport.postProtobuf(ChannelPath.packets, Self.packet(2).encoded())
                #expect(receipt == Receipt(id: Self.packet().id, storedMilliseconds: receipt.storedMilliseconds, wasKnown: false))
                #expect(try Receipt(encoded: whole).wasKnown == receipt.wasKnown && whole.count == answer.count)
            }
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
