// SPDX-License-Identifier: Apache-2.0

/// The parts of an IP packet that reassembly needs.
struct NetworkPacket {
    /// The position of a fragment in its packet.
    struct Fragment: Hashable {
        var identification: UInt32
        /// In bytes, from the start of the whole payload.
        var offset: Int
        var isLast: Bool
    }

    var source: [UInt8]
    var destination: [UInt8]
    /// The numbers of protocols (IANA, "Assigned Internet Protocol Numbers").
    static let tcp = 6
    static let udp = 17

    /// The number of the protocol inside.
    var inside: Int
    var payload: ArraySlice<UInt8>
    /// `nil` for a packet that is not fragmented.
    var fragment: Fragment?

    /// Parses an IPv4 (RFC 791) or IPv6 (RFC 8200) packet; `nil` if it is truncated or malformed.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard !bytes.isEmpty else { return nil }
        switch bytes.byte(at: 0) >> 4 {
        case 4: self.init(version4: bytes)
        case 6: self.init(version6: bytes)
        default: return nil
        }
    }

    private init?(version4 bytes: ArraySlice<UInt8>) {
        guard bytes.count >= 20 else { return nil }
        let header = (bytes.byte(at: 0) & 15) * 4
        // With segmentation offload, a captured packet has length 0 in its header.
        let stated = bytes.word(at: 2)
        let length = stated == 0 ? bytes.count : min(stated, bytes.count)
        guard header >= 20, length >= header else { return nil }
        source = Array(bytes.dropFirst(12).prefix(4))
        destination = Array(bytes.dropFirst(16).prefix(4))
        inside = bytes.byte(at: 9)
        payload = bytes.prefix(length).dropFirst(header)
        let flags = bytes.word(at: 6)
        let (more, offset) = (flags & 0x2000 != 0, (flags & 0x1fff) * 8)
        if more || offset > 0 {
            fragment = Fragment(identification: UInt32(bytes.word(at: 4)), offset: offset, isLast: !more)
        }
    }

    private init?(version6 bytes: ArraySlice<UInt8>) {
        guard bytes.count >= 40 else { return nil }
        source = Array(bytes.dropFirst(8).prefix(16))
        destination = Array(bytes.dropFirst(24).prefix(16))
        let stated = bytes.word(at: 4)
        var rest = bytes.dropFirst(40)
        if stated > 0 { rest = rest.prefix(stated) }
        var next = bytes.byte(at: 6)
        // Hop-by-hop options, routing, destination options; fragment; authentication (RFC 8200, section 4).
        while [0, 43, 60, 44, 51].contains(next) {
            guard rest.count >= 8 else { return nil }
            let following = rest.byte(at: 0)
            let length: Int
            switch next {
            case 44:
                length = 8
                let place = rest.word(at: 2)
                let isLast = place & 1 == 0
                if place & ~7 != 0 || !isLast {
                    fragment = Fragment(identification: rest.long(at: 4), offset: place & ~7, isLast: isLast)
                }
            case 51: length = (rest.byte(at: 1) + 2) * 4
            default: length = (rest.byte(at: 1) + 1) * 8
            }
            guard rest.count >= length else { return nil }
            rest = rest.dropFirst(length)
            next = following
            // After the header of a later fragment there are only data.
            if let fragment, fragment.offset > 0 { break }
        }
        inside = next
        payload = rest
    }
}
