// SPDX-License-Identifier: Apache-2.0

/// The tunnels that Suricata decodes by default, at the ports of its default configuration.
enum Tunnels {
    /// How many are read one inside of the other.
    static let maxDepth = 4

    /// The protocols of IP that hold another packet (IANA, "Assigned Internet Protocol Numbers").
    private static let ipv4 = 4
    private static let ipv6 = 41
    private static let gre = 47

    private static let vxlanPort = 4789
    private static let genevePort = 6081
    private static let teredoPort = 3544

    /// What an IP packet of a tunnelling protocol holds; `nil` if it is of another one.
    ///
    /// - Throws: ``Unread`` if it is of one, but malformed.
    static func inside(_ packet: NetworkPacket) throws(Unread) -> Layer? {
        switch packet.inside {
        case ipv4, ipv6: return .ip(packet.payload)
        case gre: return try insideGRE(packet.payload)
        default: return nil
        }
    }

    /// What a UDP datagram of a tunnel holds; `nil` if it is none. The datagram itself is a stream, too.
    static func inside(datagram: ArraySlice<UInt8>, ports: (Int, Int)) -> Layer? {
        func isAt(_ port: Int) -> Bool { ports.0 == port || ports.1 == port }
        if isAt(vxlanPort) { return insideVXLAN(datagram) }
        if isAt(genevePort) { return insideGeneve(datagram) }
        if isAt(teredoPort) { return insideTeredo(datagram) }
        return nil
    }

    /// RFC 2784 and 2890; version 1 of PPTP (RFC 2637).
    private static func insideGRE(_ bytes: ArraySlice<UInt8>) throws(Unread) -> Layer {
        guard bytes.count > 4 else { throw .malformed }
        let flags = bytes.word(at: 0)
        let (hasChecksum, hasRoute, hasKey, hasSequence) =
            (flags & 0x8000 != 0, flags & 0x4000 != 0, flags & 0x2000 != 0, flags & 0x1000 != 0)
        let isPPTP = flags & 7 == 1
        let fields = [hasChecksum, hasKey, hasSequence, isPPTP && flags & 0x80 != 0]
        let header = 4 + 4 * fields.count { $0 }
        guard !hasRoute, bytes.count > header else { throw Unread(kind: "GRE with a route, or malformed") }
        return .typed(bytes.word(at: 2), bytes.dropFirst(header))
    }

    /// RFC 7348.
    private static func insideVXLAN(_ bytes: ArraySlice<UInt8>) -> Layer? {
        guard bytes.count > 8 + 14, bytes.byte(at: 0) & 8 != 0 else { return nil }
        return .ethernet(bytes.dropFirst(8))
    }

    /// RFC 8926.
    private static func insideGeneve(_ bytes: ArraySlice<UInt8>) -> Layer? {
        guard bytes.count > 8, bytes.byte(at: 0) >> 6 == 0 else { return nil }
        let header = 8 + (bytes.byte(at: 0) & 0x3f) * 4
        guard bytes.count > header else { return nil }
        return .typed(bytes.word(at: 2), bytes.dropFirst(header))
    }

    /// RFC 4380, section 5.1.1: an indication of the origin, or of authentication, can stand before the packet.
    private static func insideTeredo(_ bytes: ArraySlice<UInt8>) -> Layer? {
        var rest = bytes
        if rest.count > 4, rest.word(at: 0) == 1 {
            let header = 4 + rest.byte(at: 2) + rest.byte(at: 3) + 9
            guard rest.count > header else { return nil }
            rest = rest.dropFirst(header)
        }
        if rest.count > 8, rest.word(at: 0) == 0 { rest = rest.dropFirst(8) }
        guard rest.count >= 40, rest.byte(at: 0) >> 4 == 6, rest.word(at: 4) + 40 <= rest.count else { return nil }
        return .ip(rest)
    }
}
