// SPDX-License-Identifier: Apache-2.0

/// Puts packets into frames and tunnels.
enum Encapsulation {
    private static let outer = CheckedPacket.Ends(
        source: [172, 16, 0, 1], destination: [172, 16, 0, 2], sourcePort: 50000, destinationPort: 4789)

    static func ethernet(_ packet: [UInt8]) -> [UInt8] { ethernet(tags: [], packet) }

    private static func ethernet(tags: [UInt8], _ packet: [UInt8]) -> [UInt8] {
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1] + tags + type(packet) + packet
    }

    private static func ethernet(_ type: Int, _ payload: [UInt8]) -> [UInt8] {
        [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1] + CheckedPacket.big(type, 2) + payload
    }

    private static func type(_ packet: [UInt8]) -> [UInt8] { packet[0] >> 4 == 6 ? [0x86, 0xdd] : [8, 0] }

    private static func datagram(to port: Int, _ payload: [UInt8]) -> [UInt8] {
        var ends = outer
        ends.destinationPort = port
        return ethernet(CheckedPacket.ipv4(ends, inside: CheckedPacket.udp, CheckedPacket.datagram(ends, payload)))
    }

    private static func tunnel(_ inside: Int, _ payload: [UInt8]) -> [UInt8] {
        ethernet(CheckedPacket.ipv4(outer, inside: inside, payload))
    }

    /// By name.
    static let all: [(name: String, wrap: @Sendable ([UInt8]) -> [UInt8])] = [
        ("VLAN", { ethernet(tags: [0x81, 0, 0, 7], $0) }),
        ("QinQ", { ethernet(tags: [0x88, 0xa8, 0, 100, 0x81, 0, 0, 42], $0) }),
        ("MPLS", { ethernet(0x8847, [0, 1, 1, 64] + $0) }),
        ("MPLS, two labels", { ethernet(0x8847, [0, 1, 0, 64, 0, 2, 1, 64] + $0) }),
        ("PPPoE", { ethernet(0x8864, [0x11, 0, 0, 1] + CheckedPacket.big($0.count + 2, 2) + [0, $0[0] >> 4 == 6 ? 0x57 : 0x21] + $0) }),
        ("NSH", { ethernet(0x894f, [0x0f, 0xc2, 2, $0[0] >> 4 == 6 ? 2 : 1, 0, 0, 0, 0xff] + $0) }),
        ("IP in IP", { tunnel($0[0] >> 4 == 6 ? 41 : 4, $0) }),
        ("GRE", { tunnel(47, [0, 0] + type($0) + $0) }),
        ("GRE with key", { tunnel(47, [0x20, 0] + type($0) + [0, 0, 0, 9] + $0) }),
        ("GRE of Ethernet", { tunnel(47, [0, 0, 0x65, 0x58] + ethernet($0)) }),
        ("VXLAN", { datagram(to: 4789, [8, 0, 0, 0, 0, 0, 0x2a, 0] + ethernet($0)) }),
        ("Geneve", { datagram(to: 6081, [0, 0, 0x65, 0x58, 0, 0, 0x2a, 0] + ethernet($0)) }),
        ("ERSPAN", { tunnel(47, [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1] + [0x10, 1, 0, 0, 0, 0, 0, 0] + ethernet($0)) }),
    ]

    /// IPv6 over UDP (RFC 4380).
    static let teredo: @Sendable ([UInt8]) -> [UInt8] = { datagram(to: 3544, $0) }
}
