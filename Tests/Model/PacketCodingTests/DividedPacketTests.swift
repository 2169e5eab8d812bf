// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import TestSupport
import Testing

@testable import PacketCoding

@Suite("A packet's code is taken out of its wire form, and put back")
struct DividedPacketTests {
    private static func packet(codeBytes: Int) -> ExtractedPacket {
        var packet = Samples.packet()
        packet.content = .code(
            ExtractedCode(base: 0x1000, bytes: (0..<codeBytes).map { UInt8(truncatingIfNeeded: $0 &* 7) }, isWholeRegion: true))
        packet.callersAddress = 0x1000 + UInt64(codeBytes / 2)
        return packet
    }

    @Test(arguments: [128, 129, 4096, 8192]) func `joined it is the same to the byte`(codeBytes: Int) throws {
        let bytes = Self.packet(codeBytes: codeBytes).encoded() + [0x7A, 0x01, 0x41]
        let divided = try #require(DividedPacket(bytes))
        #expect(divided.code == (0..<codeBytes).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        #expect(divided.frame.count == bytes.count - codeBytes)
        #expect(DividedPacket.join(frame: divided.frame, place: divided.place, code: divided.code) == bytes)
    }

    @Test func `hosts that report one code have it in common, whatever else they say`() throws {
        var other = Self.packet(codeBytes: 4096)
        other.id = String(repeating: "7", count: 32)
        other.parameters.system.hostName = "another"
        let one = try #require(DividedPacket(Self.packet(codeBytes: 4096).encoded()))
        let two = try #require(DividedPacket(other.encoded()))
        #expect(one.code == two.code && one.frame != two.frame)
    }

    @Test func `a short code, and a packet without code, stay whole`() {
        var packet = Self.packet(codeBytes: DividedPacket.minCodeBytes - 1)
        #expect(DividedPacket(packet.encoded()) == nil)
        packet.content = .signature(Samples.callerWindow)
        #expect(DividedPacket(packet.encoded()) == nil)
    }

    @Test func `code in pieces stays whole`() {
        // A second message of code, which a reader merges with the first.
        let bytes = Self.packet(codeBytes: 4096).encoded()
        #expect(DividedPacket(bytes + [0x2A, 0x02, 0x18, 0x01]) == nil)
    }

    @Test func `damaged bytes are not divided otherwise than they are read`() throws {
        let bytes = Self.packet(codeBytes: 200).encoded()
        for place in bytes.indices {
            var damaged = bytes
            damaged[place] ^= 0x85
            guard let divided = DividedPacket(damaged) else { continue }
            #expect(DividedPacket.join(frame: divided.frame, place: divided.place, code: divided.code) == damaged)
            guard let packet = try? ExtractedPacket(encoded: damaged), case .code(let code) = packet.content else { continue }
            #expect(code.bytes == divided.code, "byte \(place)")
        }
        for length in bytes.indices { _ = DividedPacket(Array(bytes[..<length])) }
    }

    @Test(arguments: [-1, 5]) func `a place outside of the frame joins nothing`(place: Int) {
        #expect(DividedPacket.join(frame: [1, 2, 3, 4], place: place, code: [9]) == nil)
    }
}
