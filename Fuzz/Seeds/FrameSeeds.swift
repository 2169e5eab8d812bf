// SPDX-License-Identifier: Apache-2.0

import StreamReassembly
import TestSupport

/// Network packets of every kind that reassembly supports, for captures and for frames.
enum FrameSeeds {
    /// IP packets: datagrams, fragments of both versions, extension headers, a connection whose segments come out of
    /// order, twice, and around the end of the sequence numbers.
    static var packets: [[UInt8]] {
        let text = Array("GET /index.html HTTP/1.1\r\nHost: a.example\r\n\r\n".utf8)
        let datagram = NetworkFrame.udpDatagram(from: 40000, to: 1434, [UInt8](0..<64))
        let client = (host: UInt8(1), port: UInt16(40000))
        let server = (host: UInt8(2), port: UInt16(80))
        let start: UInt32 = 0xffff_fff0
        return [
            NetworkFrame.ipv4(1, 2, inside: 17, datagram),
            NetworkFrame.ipv6(1, 2, next: 17, datagram),
            NetworkFrame.ipv4(1, 2, inside: 17, Array(datagram[..<24]), fragment: (0x2000, 7)),
            NetworkFrame.ipv4(1, 2, inside: 17, Array(datagram[24..<48]), fragment: (0x2003, 7)),
            NetworkFrame.ipv4(1, 2, inside: 17, Array(datagram[40...]), fragment: (5, 7)),
            // Hop-by-hop options, then the fragments' header.
            NetworkFrame.ipv6(1, 2, next: 0, [44, 0, 1, 4, 0, 0, 0, 0] + [17, 0, 0, 1, 0, 0, 0, 9] + datagram[..<32]),
            NetworkFrame.ipv6(1, 2, next: 44, [17, 0, 0, 32, 0, 0, 0, 9] + datagram[32...]),
            NetworkFrame.ipv6(1, 2, next: 51, [60, 4] + [UInt8](repeating: 0, count: 22) + [17, 0, 1, 4, 0, 0, 0, 0] + datagram),
            NetworkFrame.tcp(from: client, to: server, sequence: start, flags: .syn),
            NetworkFrame.tcp(from: server, to: client, sequence: 99, flags: [.syn, .ack]),
            NetworkFrame.tcp(from: client, to: server, sequence: start &+ 21, Array(text[20...])),
            NetworkFrame.tcp(from: client, to: server, sequence: start &+ 11, Array(text[10..<30])),
            NetworkFrame.tcp(from: client, to: server, sequence: start &+ 1, Array(text[..<10])),
            NetworkFrame.tcp(from: server, to: client, sequence: 100, [UInt8](repeating: 0x41, count: 100)),
            NetworkFrame.tcp(from: client, to: server, sequence: start &+ 1, Array(text)),
            NetworkFrame.tcp(from: client, to: server, sequence: start &+ 1 &+ UInt32(text.count), flags: [.fin, .ack]),
            NetworkFrame.tcp(from: server, to: client, sequence: 200, flags: [.rst, .ack]),
        ]
    }

    /// All link-layer headers.
    static let links = LinkType.allCases

    /// A packet in a frame of a link type, with VLAN tags if the type has them.
    static func frame(_ packet: [UInt8], link: LinkType, tags: Int = 0) -> [UInt8] {
        let type: [UInt8] = packet.first.map { $0 >> 4 == 6 } ?? false ? [0x86, 0xdd] : [8, 0]
        let addresses: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
        let vlan = [[UInt8]]([[0x88, 0xa8, 0, 5], [0x81, 0, 0, 6]].suffix(tags)).flatMap { $0 }
        switch link {
        case .raw, .rawBSD, .rawOpenBSD, .ipv4, .ipv6: return packet
        case .ppp: return [0xff, 3, 0, type[0] == 8 ? 0x21 : 0x57] + packet
        case .pppEthernet: return [0x11, 0, 0, 1] + [0, 0, 0, type[0] == 8 ? 0x21 : 0x57] + packet
        case .ciscoHDLC: return [0x0f, 0] + type + packet
        case .null: return [2, 0, 0, 0] + packet
        case .loop: return [0, 0, 0, 2] + packet
        case .ethernet: return addresses + vlan + type + packet
        case .linuxCooked: return [0, 0, 0, 1, 0, 6] + addresses.prefix(8) + vlan + type + packet
        case .linuxCooked2: return type + [0, 0, 0, 0, 0, 2, 0, 1, 0, 6] + addresses.prefix(8) + packet
        }
    }
}
