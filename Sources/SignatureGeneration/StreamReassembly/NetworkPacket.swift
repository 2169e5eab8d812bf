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

    /// The numbers of protocols (IANA, "Assigned Internet Protocol Numbers").
    static let tcp = 6
    static let udp = 17

    var source: NetworkAddress
    var destination: NetworkAddress
    /// The number of the protocol inside. Of a fragment: that of what the whole payload begins with.
    var inside: Int
    var payload: ArraySlice<UInt8>
    /// `nil` for a packet that is not fragmented.
    var fragment: Fragment?
    /// Whether the header's checksum is right, or there is none, as where a network card puts it in.
    var isHeaderRight = true
    /// Whether the capture holds only the beginning of it.
    var isCut = false

    /// Parses an IPv4 (RFC 791) or IPv6 (RFC 8200) packet; `nil` if it is malformed, or longer than its frame.
    ///
    /// - Parameter isCut: whether the capture holds only the beginning of the frame.
    init?(_ bytes: ArraySlice<UInt8>, isCut: Bool = false) {
        guard !bytes.isEmpty else { return nil }
        switch bytes.byte(at: 0) >> 4 {
        case 4: self.init(version4: bytes, isCut)
        case 6: self.init(version6: bytes, isCut)
        default: return nil
        }
    }

    private init?(version4 bytes: ArraySlice<UInt8>, _ isFrameCut: Bool) {
        guard bytes.count >= 20 else { return nil }
        let header = (bytes.byte(at: 0) & 15) * 4
        // With segmentation offload, a captured packet has length 0 in its header.
        let stated = bytes.word(at: 2)
        let length = stated == 0 ? bytes.count : min(stated, bytes.count)
        guard header >= 20, length >= header, isFrameCut || stated <= bytes.count else { return nil }
        isCut = stated > bytes.count
        source = NetworkAddress(bytes.dropFirst(12).prefix(4))
        destination = NetworkAddress(bytes.dropFirst(16).prefix(4))
        inside = bytes.byte(at: 9)
        payload = bytes.prefix(length).dropFirst(header)
        isHeaderRight = bytes.word(at: 10) == 0 || InternetChecksum.sum(bytes.prefix(header)) == 0xffff
        let flags = bytes.word(at: 6)
        let (more, offset) = (flags & 0x2000 != 0, (flags & 0x1fff) * 8)
        if more || offset > 0 {
            fragment = Fragment(identification: UInt32(bytes.word(at: 4)), offset: offset, isLast: !more)
        }
    }

    private init?(version6 bytes: ArraySlice<UInt8>, _ isFrameCut: Bool) {
        guard bytes.count >= 40 else { return nil }
        source = NetworkAddress(bytes.dropFirst(8).prefix(16))
        destination = NetworkAddress(bytes.dropFirst(24).prefix(16))
        let stated = bytes.word(at: 4)
        payload = bytes.dropFirst(40)
        guard isFrameCut || stated <= payload.count else { return nil }
        isCut = stated > payload.count
        if stated > 0 { payload = payload.prefix(stated) }
        inside = bytes.byte(at: 6)
        guard skipExtensions() else { return nil }
    }

    /// Goes behind the extension headers (RFC 8200, section 4) up to a fragment's data: what a fragment's payload begins with is
    /// read when it is whole.
    ///
    /// - Returns: whether they are whole.
    mutating func skipExtensions() -> Bool {
        let (hopByHop, routing, fragmentHeader, authentication, destinationOptions) = (0, 43, 44, 51, 60)
        while [hopByHop, routing, fragmentHeader, authentication, destinationOptions].contains(inside) {
            guard payload.count >= 8 else { return false }
            let length: Int
            switch inside {
            case fragmentHeader: length = 8
            case authentication: length = (payload.byte(at: 1) + 2) * 4
            default: length = (payload.byte(at: 1) + 1) * 8
            }
            guard payload.count >= length else { return false }
            let place = payload.word(at: 2)
            if inside == fragmentHeader, place & ~6 != 0 {
                fragment = Fragment(identification: payload.long(at: 4), offset: place & ~7, isLast: place & 1 == 0)
            }
            inside = payload.byte(at: 0)
            payload = payload.dropFirst(length)
            if fragment != nil { return true }
        }
        return true
    }
}
