// SPDX-License-Identifier: Apache-2.0

/// The numbers of protocols behind Ethernet's and GRE's headers (IANA, "IEEE 802 Numbers").
enum EtherType {
    /// What is less is a frame's length.
    static let first = 0x0600
    static let ipv4 = 0x0800
    static let ipv6 = 0x86dd
    static let vlan = 0x8100
    static let serviceVLAN = 0x88a8
    static let oldQinQ = 0x9100
    static let mpls = 0x8847
    static let mplsMulticast = 0x8848
    static let pppoeSession = 0x8864
    static let ppp = 0x880b
    static let bridged = 0x6558
    static let providerBackbone = 0x88e7
    static let vnTag = 0x8926
    static let erspan = 0x88be
    static let nsh = 0x894f
}

/// What a flow is told apart by beside its endpoints: the VLANs, as Suricata does by default, and the depth of tunnels.
struct FrameTags: Hashable {
    /// The identifiers of the outer and the inner VLAN, 0 for none.
    var vlans: UInt32 = 0
    /// How many tunnels it came through.
    var depth = 0
}

/// A frame did not lead to an IP packet.
struct Unread: Error {
    /// What it holds instead (``ReassemblyTally/skipped``).
    var kind: String

    static let malformed = Unread(kind: "truncated or malformed")
}

/// A layer that is to be read next.
enum Layer {
    case ethernet(ArraySlice<UInt8>)
    /// What an EtherType names.
    case typed(Int, ArraySlice<UInt8>)
    /// PPP's protocol field and payload (RFC 1661), with or without address and control.
    case ppp(ArraySlice<UInt8>)
    case ip(ArraySlice<UInt8>)

    /// The IP packet inside. Each step takes bytes away, so that it ends.
    ///
    /// - Parameter tags: gets the VLANs that are found.
    /// - Throws: ``Unread``.
    func packet(tags: inout FrameTags) throws(Unread) -> ArraySlice<UInt8> {
        var layer = self
        while true {
            switch layer {
            case .ip(let bytes): return bytes
            case .ethernet(let frame):
                guard frame.count > 14 else { throw .malformed }
                layer = .typed(frame.word(at: 12), frame.dropFirst(14))
            case .ppp(let bytes): layer = try Self.insidePPP(bytes)
            case .typed(let type, let bytes): layer = try Self.inside(type, bytes, &tags)
            }
        }
    }

    private static func inside(_ type: Int, _ bytes: ArraySlice<UInt8>, _ tags: inout FrameTags) throws(Unread) -> Layer {
        switch type {
        case EtherType.ipv4, EtherType.ipv6:
            return .ip(bytes)
        case EtherType.vlan, EtherType.serviceVLAN, EtherType.oldQinQ:
            guard bytes.count > 4 else { throw .malformed }
            tags.vlans = tags.vlans << 16 | UInt32(bytes.word(at: 0) & 0xfff)
            return .typed(bytes.word(at: 2), bytes.dropFirst(4))
        case EtherType.vnTag:
            guard bytes.count > 6 else { throw .malformed }
            return .typed(bytes.word(at: 4), bytes.dropFirst(6))
        case EtherType.mpls, EtherType.mplsMulticast: return try insideMPLS(bytes)
        case EtherType.pppoeSession:
            // Version and type, code 0, session, length (RFC 2516).
            guard bytes.count > 6, bytes.byte(at: 1) == 0 else { throw .malformed }
            return .ppp(bytes.dropFirst(6))
        case EtherType.ppp: return .ppp(bytes)
        case EtherType.bridged: return .ethernet(bytes)
        case EtherType.providerBackbone: return .ethernet(bytes.dropFirst(4))
        case EtherType.erspan:
            // Type II: a header of 8 bytes (draft-foschiano-erspan).
            guard bytes.count > 8, bytes.byte(at: 0) >> 4 == 1 else { throw Unread(kind: "ERSPAN of another type than II") }
            return .ethernet(bytes.dropFirst(8))
        case EtherType.nsh: return try insideNSH(bytes)
        // A length: frames of IEEE 802.3, such as those of spanning trees.
        case ..<EtherType.first: throw Unread(kind: "IEEE 802.3 without an EtherType")
        default: throw Unread(kind: "EtherType 0x" + hexadecimal(type))
        }
    }

    /// RFC 8300, section 2.2: the length of the header in words, and the number of what follows.
    private static func insideNSH(_ bytes: ArraySlice<UInt8>) throws(Unread) -> Layer {
        guard bytes.count > 8, case let header = (bytes.word(at: 0) & 0x3f) * 4, header >= 8, bytes.count > header else { throw .malformed }
        let inside = bytes.dropFirst(header)
        switch bytes.byte(at: 3) {
        case 1, 2: return .ip(inside)
        case 3: return .ethernet(inside)
        case 5: return try insideMPLS(inside)
        default: throw Unread(kind: "NSH without IP")
        }
    }

    private static func hexadecimal(_ type: Int) -> String {
        let digits = String(type, radix: 16)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// What follows the last label is known by its first half byte only: IP, or the control word of a pseudowire (RFC 4385).
    private static func insideMPLS(_ bytes: ArraySlice<UInt8>) throws(Unread) -> Layer {
        var rest = bytes
        var isLast = false
        while !isLast {
            guard rest.count > 4 else { throw .malformed }
            isLast = rest.byte(at: 2) & 1 == 1
            rest = rest.dropFirst(4)
        }
        switch rest.byte(at: 0) >> 4 {
        case 4, 6: return .ip(rest)
        case 0: return .ethernet(rest.dropFirst(4))
        default: throw Unread(kind: "MPLS without IP")
        }
    }

    private static func insidePPP(_ bytes: ArraySlice<UInt8>) throws(Unread) -> Layer {
        var rest = bytes
        if rest.count > 2, rest.word(at: 0) == 0xff03 { rest = rest.dropFirst(2) }
        guard rest.count > 2 else { throw .malformed }
        // An odd first byte is a whole, compressed field (RFC 1661, section 6.5).
        let isShort = rest.byte(at: 0) & 1 == 1
        switch isShort ? rest.byte(at: 0) : rest.word(at: 0) {
        case 0x21, 0x57: return .ip(rest.dropFirst(isShort ? 1 : 2))
        default: throw Unread(kind: "PPP without IP")
        }
    }
}
