// SPDX-License-Identifier: Apache-2.0

/// Reassembles fragmented packets. Where fragments overlap, the first one counts.
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

    /// The most incomplete packets, and the most bytes of one (the limit of IP).
    private static let maxPackets = 1024
    private static let maxPacketBytes = 65535

    private var waiting: [Key: Parts] = [:]
    /// In the order of their first fragments, so that the oldest is dropped first.
    private var order: [Key] = []

    /// Adds a packet or fragment.
    ///
    /// - Returns: the packet, once it is complete.
    mutating func add(_ packet: NetworkPacket) -> NetworkPacket? {
        guard let fragment = packet.fragment else { return packet }
        // Only the first fragment of IPv6 names the protocol inside.
        let key = Key(
            source: packet.source, destination: packet.destination, identification: fragment.identification,
            inside: packet.source.count == 4 ? packet.inside : 0)
        guard fragment.offset + packet.payload.count <= Self.maxPacketBytes else { return nil }
        if waiting[key] == nil {
            order.append(key)
            if order.count > Self.maxPackets { waiting[order.removeFirst()] = nil }
        }
        var parts = waiting[key] ?? Parts()
        parts.held += packet.payload.count
        guard parts.held <= 2 * Self.maxPacketBytes else { return nil }
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
