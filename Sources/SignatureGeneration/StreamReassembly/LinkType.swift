// SPDX-License-Identifier: Apache-2.0

/// The link-layer headers of a capture's frames, by the numbers of libpcap (tcpdump.org, "Link-Layer Header Types").
public enum LinkType: Int32, Hashable, Sendable {
    case null = 0
    case ethernet = 1
    case raw = 101
    case rawBSD = 12
    case loop = 108
    case linuxCooked = 113
    case linuxCooked2 = 276

    /// The network packet of a frame; `nil` if the frame is too short or not IP.
    func payload(of frame: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        switch self {
        case .raw, .rawBSD: return frame
        case .null, .loop: return frame.count > 4 ? frame.dropFirst(4) : nil
        case .ethernet: return Self.tagged(frame, typeAt: 12)
        case .linuxCooked: return Self.tagged(frame, typeAt: 14)
        case .linuxCooked2:
            guard frame.count > 20, Self.isIP(frame.word(at: 0)) else { return nil }
            return frame.dropFirst(20)
        }
    }

    /// The payload after an EtherType and any VLAN tags (IEEE 802.1Q, 802.1ad).
    private static func tagged(_ frame: ArraySlice<UInt8>, typeAt offset: Int) -> ArraySlice<UInt8>? {
        var offset = offset
        while frame.count >= offset + 2 {
            let type = frame.word(at: offset)
            offset += 2
            switch type {
            case 0x8100, 0x88a8, 0x9100: offset += 2
            default: return isIP(type) && frame.count > offset ? frame.dropFirst(offset) : nil
            }
        }
        return nil
    }

    private static func isIP(_ type: Int) -> Bool { type == 0x0800 || type == 0x86dd }
}

extension ArraySlice<UInt8> {
    /// A byte, counted from the start of the slice, which must be long enough.
    func byte(at offset: Int) -> Int { Int(self[startIndex + offset]) }

    /// Two bytes, the higher first.
    func word(at offset: Int) -> Int { byte(at: offset) << 8 | byte(at: offset + 1) }

    /// Four bytes, the highest first.
    func long(at offset: Int) -> UInt32 { UInt32(word(at: offset)) << 16 | UInt32(word(at: offset + 2)) }
}
