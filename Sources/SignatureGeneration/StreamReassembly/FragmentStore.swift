// SPDX-License-Identifier: Apache-2.0

/// Puts fragmented packets together. What overlaps is kept as it came first.
struct FragmentStore {
    private struct Key: Hashable {
        var source: [UInt8]
        var destination: [UInt8]
        var identification: UInt32
        var inside: Int
    }

    private struct Parts {
        var parts: [(offset: Int, bytes: [UInt8])] = []
        var length: Int?
        var held = 0
    }

    /// The most packets that wait for their parts, and the most bytes of one (that of an IP packet).
    private static let mostPackets = 1024
    private static let largestPacket = 65535

    private var waiting: [Key: Parts] = [:]
    /// In the order of their first parts, to give up the oldest.
    private var order: [Key] = []

    /// Takes a packet; gives it whole, once it is.
    mutating func add(_ packet: NetworkPacket) -> NetworkPacket? {
        guard let fragment = packet.fragment else { return packet }
        // Later fragments of IPv6 don't say what is inside, so the first one's word counts.
        let key = Key(
            source: packet.source, destination: packet.destination, identification: fragment.identification,
            inside: packet.source.count == 4 ? packet.inside : 0)
        guard fragment.offset + packet.payload.count <= Self.largestPacket else { return nil }
        if waiting[key] == nil {
            order.append(key)
            if order.count > Self.mostPackets { waiting[order.removeFirst()] = nil }
        }
        var parts = waiting[key] ?? Parts()
        parts.held += packet.payload.count
        guard parts.held <= 2 * Self.largestPacket else { return nil }
        parts.parts.append((fragment.offset, Array(packet.payload)))
        if fragment.isLast { parts.length = fragment.offset + packet.payload.count }
        waiting[key] = parts
        guard let length = parts.length, let whole = Self.whole(parts.parts, length: length) else { return nil }
        waiting[key] = nil
        order.removeAll { $0 == key }
        var packet = packet
        packet.payload = whole[...]
        packet.fragment = nil
        return packet
    }

    private static func whole(_ parts: [(offset: Int, bytes: [UInt8])], length: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: length)
        var filled = [Bool](repeating: false, count: length)
        for part in parts {
            for (index, byte) in part.bytes.enumerated() where part.offset + index < length && !filled[part.offset + index] {
                bytes[part.offset + index] = byte
                filled[part.offset + index] = true
            }
        }
        return filled.contains(false) ? nil : bytes
    }
}
