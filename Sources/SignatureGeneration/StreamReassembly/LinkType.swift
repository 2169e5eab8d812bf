// SPDX-License-Identifier: Apache-2.0

/// The link-layer headers of a capture's frames, by their numbers in capture files (tcpdump.org, "Link-Layer Header Types").
public enum LinkType: Int32, Hashable, Sendable, CaseIterable {
    case null = 0
    case ethernet = 1
    case ppp = 9
    case rawBSD = 12
    case rawOpenBSD = 14
    case pppEthernet = 51
    case raw = 101
    case ciscoHDLC = 104
    case loop = 108
    case linuxCooked = 113
    case ipv4 = 228
    case ipv6 = 229
    case linuxCooked2 = 276

    /// What a frame begins with, behind the header of the link itself; `nil` if it is too short.
    func layer(of frame: ArraySlice<UInt8>) -> Layer? {
        switch self {
        case .raw, .rawBSD, .rawOpenBSD, .ipv4, .ipv6: return .ip(frame)
        case .null, .loop: return frame.count > 4 ? .ip(frame.dropFirst(4)) : nil
        case .ethernet: return .ethernet(frame)
        case .ppp: return .ppp(frame)
        case .pppEthernet: return .typed(EtherType.pppoeSession, frame)
        case .ciscoHDLC: return frame.count > 4 ? .typed(frame.word(at: 2), frame.dropFirst(4)) : nil
        case .linuxCooked: return frame.count > 16 ? .typed(frame.word(at: 14), frame.dropFirst(16)) : nil
        case .linuxCooked2: return frame.count > 20 ? .typed(frame.word(at: 0), frame.dropFirst(20)) : nil
        }
    }
}
