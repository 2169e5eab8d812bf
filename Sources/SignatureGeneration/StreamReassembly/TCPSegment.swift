// SPDX-License-Identifier: Apache-2.0

/// The parts of a TCP segment (RFC 9293) that reassembly needs.
struct TCPSegment {
    let sourcePort: UInt16
    let destinationPort: UInt16
    let sequence: UInt32
    let acknowledgement: UInt32
    let flags: Int
    let window: Int
    /// By how many bits windows are shifted, of a segment that opens a connection (RFC 7323).
    let windowScale: Int?
    let payload: ArraySlice<UInt8>
    let verdict: InternetChecksum.Verdict

    var isFinal: Bool { flags & 1 != 0 }
    var isSynchronising: Bool { flags & 2 != 0 }
    var isReset: Bool { flags & 4 != 0 }
    var isAcknowledging: Bool { flags & 16 != 0 }
    /// Whether receivers look at it: once a connection is open they drop what acknowledges nothing (RFC 9293, section 3.10.7.4).
    var isTaken: Bool { isAcknowledging || isSynchronising || isReset }
    /// Of the first byte of its payload.
    var start: UInt32 { isSynchronising ? sequence &+ 1 : sequence }
    /// Behind the last byte of its payload, and its end.
    var end: UInt32 { start &+ UInt32(truncatingIfNeeded: payload.count) &+ (isFinal ? 1 : 0) }

    /// `nil` if it is truncated or malformed.
    init?(_ packet: NetworkPacket) {
        let bytes = packet.payload
        guard bytes.count >= 20 else { return nil }
        let header = bytes.byte(at: 12) >> 4 * 4
        guard header >= 20, bytes.count >= header else { return nil }
        sourcePort = UInt16(bytes.word(at: 0))
        destinationPort = UInt16(bytes.word(at: 2))
        sequence = bytes.long(at: 4)
        acknowledgement = bytes.long(at: 8)
        flags = bytes.byte(at: 13)
        window = bytes.word(at: 14)
        payload = bytes.dropFirst(header)
        verdict = InternetChecksum.verdict(ofSegment: packet)
        windowScale = flags & 2 != 0 ? Self.windowScale(bytes.prefix(header).dropFirst(20)) : nil
    }

    private static func windowScale(_ options: ArraySlice<UInt8>) -> Int? {
        let (end, filler, scale) = (0, 1, 3)
        var rest = options
        while let kind = rest.first.map(Int.init), kind != end {
            if kind == filler {
                rest = rest.dropFirst()
                continue
            }
            guard rest.count >= 2, rest.byte(at: 1) >= 2, rest.count >= rest.byte(at: 1) else { return nil }
            if kind == scale, rest.byte(at: 1) == 3 { return min(rest.byte(at: 2), TCPWindow.maxScale) }
            rest = rest.dropFirst(rest.byte(at: 1))
        }
        return nil
    }
}

/// How far a sender may go ahead of what was acknowledged.
enum TCPWindow {
    /// In bits (RFC 7323, section 2.3).
    static let maxScale = 14
    /// In bytes: how far beyond the known window a segment may begin, since a capture can lack a segment that opened it.
    static let slack = 1 << 16
}
