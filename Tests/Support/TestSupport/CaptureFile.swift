// SPDX-License-Identifier: Apache-2.0

/// A capture file (pcap, microseconds, Ethernet) of UDP datagrams over IPv4, for letting Suricata read what a test
/// wants it to see.
public enum CaptureFile {
    /// - Parameter datagrams: each one's payload; all go from 192.0.2.1 port 40000 to 192.0.2.2.
    public static func udp(_ datagrams: [[UInt8]], destinationPort: UInt16) -> [UInt8] {
        var file: [UInt8] = little(0xa1b2_c3d4, 4) + little(2, 2) + little(4, 2) + little(0, 8) + little(65535, 4) + little(1, 4)
        for (index, payload) in datagrams.enumerated() {
            let frame = frame(payload, destinationPort: destinationPort)
            file += little(1_700_000_000, 4) + little(index, 4) + little(frame.count, 4) + little(frame.count, 4) + frame
        }
        return file
    }

    private static func frame(_ payload: [UInt8], destinationPort: UInt16) -> [UInt8] {
        // A UDP checksum of 0 says that there is none.
        let udp = big(40000, 2) + big(Int(destinationPort), 2) + big(8 + payload.count, 2) + [0, 0] + payload
        var ip: [UInt8] = [0x45, 0] + big(20 + udp.count, 2) + [0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]
        ip.replaceSubrange(10..<12, with: big(checksum(ip), 2))
        let ethernet: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]
        return ethernet + ip + udp
    }

    /// RFC 1071, of an even number of bytes.
    private static func checksum(_ bytes: [UInt8]) -> Int {
        var sum = 0
        for index in stride(from: 0, to: bytes.count, by: 2) { sum += Int(bytes[index]) << 8 | Int(bytes[index + 1]) }
        while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
        return ~sum & 0xffff
    }

    private static func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func big(_ value: Int, _ count: Int) -> [UInt8] {
        little(value, count).reversed()
    }
}
