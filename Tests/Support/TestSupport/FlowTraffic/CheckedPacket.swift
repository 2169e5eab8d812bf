// SPDX-License-Identifier: Apache-2.0

/// IP packets with right checksums, as a machine sends them: for what an engine must take, too.
enum CheckedPacket {
    /// What a segment's checksum is to be.
    enum Checksum {
        case right
        case wrong
        /// None, as some network cards leave it.
        case none
        /// Of the pseudo header alone, as where a network card does the rest, or where packets were merged as they came.
        case partial
    }

    /// The two ends of a packet: addresses of 4 or of 16 bytes.
    struct Ends {
        var source: [UInt8]
        var destination: [UInt8]
        var sourcePort: Int
        var destinationPort: Int

        var isVersion6: Bool { source.count == 16 }
        var reversed: Ends {
            Ends(source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort)
        }
    }

    static let tcp = 6
    static let udp = 17

    static func segment(
        _ ends: Ends, sequence: UInt32, acknowledged: UInt32, flags: Int, window: Int, urgent: Int = 0, options: [UInt8] = [],
        checksum: Checksum = .right, _ payload: some Sequence<UInt8>
    ) -> [UInt8] {
        let ports = big(ends.sourcePort, 2) + big(ends.destinationPort, 2)
        let header = ports + big(Int(sequence), 4) + big(Int(acknowledged), 4) + [UInt8((20 + options.count) / 4 * 16), UInt8(flags)]
        return summed(header + big(window, 2) + [0, 0] + big(urgent, 2) + options + payload, at: 16, ends, tcp, checksum)
    }

    static func datagram(_ ends: Ends, checksum: Checksum = .right, _ payload: [UInt8]) -> [UInt8] {
        let header = big(ends.sourcePort, 2) + big(ends.destinationPort, 2) + big(8 + payload.count, 2) + [0, 0]
        return summed(header + payload, at: 6, ends, udp, checksum)
    }

    /// - Parameter fragment: flags and offset, and the identification.
    static func ipv4(
        _ ends: Ends, inside: Int, _ payload: some Sequence<UInt8>, fragment: (field: Int, identification: Int) = (0, 0),
        isRight: Bool = true
    ) -> [UInt8] {
        let payload = Array(payload)
        var header = [0x45, 0] + big(20 + payload.count, 2) + big(fragment.identification, 2) + big(fragment.field, 2)
        header += [64, UInt8(inside), 0, 0] + ends.source + ends.destination
        header.replaceSubrange(10..<12, with: big((~sum(header) & 0xffff) ^ (isRight ? 0 : 0x55), 2))
        return header + payload
    }

    static func ipv6(_ ends: Ends, next: Int, _ payload: some Sequence<UInt8>) -> [UInt8] {
        let payload = Array(payload)
        return [0x60, 0, 0, 0] + big(payload.count, 2) + [UInt8(next), 64] + ends.source + ends.destination + payload
    }

    /// Of either version, by the addresses.
    static func packet(_ ends: Ends, inside: Int, _ payload: [UInt8], isRight: Bool = true) -> [UInt8] {
        ends.isVersion6 ? ipv6(ends, next: inside, payload) : ipv4(ends, inside: inside, payload, isRight: isRight)
    }

    static func big(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func summed(_ bytes: [UInt8], at place: Int, _ ends: Ends, _ inside: Int, _ checksum: Checksum) -> [UInt8] {
        guard checksum != .none else { return bytes }
        let pseudo = ends.source + ends.destination + big(bytes.count, 4) + big(inside, 4)
        var bytes = bytes
        let whole = (~sum(pseudo + bytes) & 0xffff) ^ (checksum == .wrong ? 0x55 : 0)
        bytes.replaceSubrange(place..<place + 2, with: big(checksum == .partial ? sum(pseudo) : whole, 2))
        return bytes
    }

    /// RFC 1071.
    private static func sum(_ bytes: [UInt8]) -> Int {
        var sum = 0
        for (index, byte) in bytes.enumerated() { sum += index % 2 == 0 ? Int(byte) << 8 : Int(byte) }
        while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
        return sum
    }
}
