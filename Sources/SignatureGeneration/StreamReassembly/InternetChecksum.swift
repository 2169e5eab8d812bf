// SPDX-License-Identifier: Apache-2.0

/// The checksum of IP, TCP and UDP (RFC 1071).
enum InternetChecksum {
    /// What a packet's checksum says of it.
    enum Verdict: Hashable {
        case right
        /// That of the pseudo header alone, as it stands in a packet before its network card does the rest, and in one that was put
        /// together from several as they were received.
        case partial
        /// Another sum, or none.
        case wrong
        /// The capture does not hold all of the packet.
        case unknown
    }

    /// The folded sum of 16-bit words; 0xffff where a checksum is among them, and right.
    static func sum(_ bytes: ArraySlice<UInt8>, adding start: UInt64 = 0) -> UInt16 {
        var sum = start
        bytes.withUnsafeBytes { bytes in
            var place = 0
            // The sum is the same in whatever order of bytes it is formed, but for that order (RFC 1071, section 2 B).
            var words: UInt64 = 0
            while place + 4 <= bytes.count {
                words += UInt64(bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
                place += 4
            }
            sum += UInt64(fold(words).byteSwapped)
            if place + 2 <= bytes.count {
                sum += UInt64(bytes[place]) << 8 | UInt64(bytes[place + 1])
                place += 2
            }
            if place < bytes.count { sum += UInt64(bytes[place]) << 8 }
        }
        return fold(sum)
    }

    private static func fold(_ sum: UInt64) -> UInt16 {
        var sum = sum
        while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
        return UInt16(sum)
    }

    /// Of a TCP segment, whose header must be whole, together with the header of the IP packet that it came in.
    static func verdict(ofSegment packet: NetworkPacket) -> Verdict {
        guard !packet.isCut else { return .unknown }
        let pseudo = packet.source.wordSum + packet.destination.wordSum + UInt64(packet.inside) + UInt64(packet.payload.count)
        guard packet.isHeaderRight else { return .wrong }
        if sum(packet.payload, adding: pseudo) == 0xffff { return .right }
        return packet.payload.word(at: 16) == Int(fold(pseudo)) ? .partial : .wrong
    }
}
