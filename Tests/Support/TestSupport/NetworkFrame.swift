// SPDX-License-Identifier: Apache-2.0

/// Frames for tests of what reads captures, over IPv4 and IPv6, with headers as short as they may be.
public enum NetworkFrame {
    /// A TCP segment's flags.
    public struct Flags: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let fin = Flags(rawValue: 1)
        public static let syn = Flags(rawValue: 2)
        public static let rst = Flags(rawValue: 4)
        public static let ack = Flags(rawValue: 16)
    }

    /// Between 10.0.0.SOURCE and 10.0.0.DESTINATION.
    public static func tcp(
        from source: (host: UInt8, port: UInt16), to destination: (host: UInt8, port: UInt16), sequence: UInt32,
        acknowledged: UInt32 = 0, flags: Flags = .ack, _ payload: [UInt8] = []
    ) -> [UInt8] {
        let segment =
            big(Int(source.port), 2) + big(Int(destination.port), 2) + big(Int(sequence), 4) + big(Int(acknowledged), 4)
            + [0x50, flags.rawValue, 0xff, 0xff, 0, 0, 0, 0] + payload
        return ipv4(source.host, destination.host, inside: 6, segment)
    }

    /// A whole connection: opened, what the client sends in segments, closed by both.
    ///
    /// - Parameter isAcknowledged: whether the server acknowledges each segment, and not only the last.
    public static func connection(
        from client: (host: UInt8, port: UInt16), to server: (host: UInt8, port: UInt16), _ bytes: [UInt8], segment: Int,
        isAcknowledged: Bool = false
    ) -> [[UInt8]] {
        let end = UInt32(1 + bytes.count)
        let data = stride(from: 0, to: bytes.count, by: segment).flatMap { start -> [[UInt8]] in
            let part = Array(bytes[start..<min(bytes.count, start + segment)])
            let sent = tcp(from: client, to: server, sequence: UInt32(1 + start), acknowledged: 1, part)
            let answer = tcp(from: server, to: client, sequence: 1, acknowledged: UInt32(1 + start + part.count))
            return isAcknowledged ? [sent, answer] : [sent]
        }
        return [
            tcp(from: client, to: server, sequence: 0, flags: .syn),
            tcp(from: server, to: client, sequence: 0, acknowledged: 1, flags: [.syn, .ack]),
            tcp(from: client, to: server, sequence: 1, acknowledged: 1),
        ] + data + [
            tcp(from: server, to: client, sequence: 1, acknowledged: end),
            tcp(from: client, to: server, sequence: end, acknowledged: 1, flags: [.fin, .ack]),
            tcp(from: server, to: client, sequence: 1, acknowledged: end + 1, flags: [.fin, .ack]),
            tcp(from: client, to: server, sequence: end + 1, acknowledged: 2),
        ]
    }

    public static func udpDatagram(from source: UInt16, to destination: UInt16, _ payload: [UInt8]) -> [UInt8] {
        big(Int(source), 2) + big(Int(destination), 2) + big(8 + payload.count, 2) + [0, 0] + payload
    }

    /// - Parameter fragment: the field of flags and offset, and the identification.
    public static func ipv4(
        _ source: UInt8, _ destination: UInt8, inside: UInt8, _ payload: [UInt8], fragment: (field: Int, identification: Int) = (0, 0)
    ) -> [UInt8] {
        [0x45, 0] + big(20 + payload.count, 2) + big(fragment.identification, 2) + big(fragment.field, 2) + [64, inside, 0, 0]
            + [10, 0, 0, source, 10, 0, 0, destination] + payload
    }

    /// - Parameter next: the number of what the payload begins with.
    public static func ipv6(_ source: UInt8, _ destination: UInt8, next: UInt8, _ payload: [UInt8]) -> [UInt8] {
        func address(_ last: UInt8) -> [UInt8] { [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [last] }
        return [0x60, 0, 0, 0] + big(payload.count, 2) + [next, 64] + address(source) + address(destination) + payload
    }

    /// A pcap file of frames, a millisecond apart.
    public static func capture(_ frames: [[UInt8]], link: Int) -> [UInt8] {
        var file = little(0xa1b2_c3d4, 4) + little(2, 2) + little(4, 2) + little(0, 8) + little(65535, 4) + little(link, 4)
        for (index, frame) in frames.enumerated() {
            file += little(1_700_000_000, 4) + little(index * 1000, 4) + little(frame.count, 4) + little(frame.count, 4) + frame
        }
        return file
    }

    private static func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func big(_ value: Int, _ count: Int) -> [UInt8] {
        little(value, count).reversed()
    }
}
