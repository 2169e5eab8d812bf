// SPDX-License-Identifier: Apache-2.0

/// Reassembles fragmented packets.
struct FragmentStore {
    private struct Key: Hashable {
        var source: NetworkAddress
        var destination: NetworkAddress
        var identification: UInt32
        /// Of IPv4 only.
        var inside: Int
        var tags: FrameTags
    }

    /// The most incomplete packets, and the most bytes of all of them.
    private static let maxPackets = 4096
    private static let maxBytes = 32 << 20
    /// In milliseconds: a packet's fragments come within this time, as Suricata has it by default. Then its identification may
    /// mean another one.
    private static let lifetime: Int64 = 60_000

    private var waiting = LeastRecentlyUsed<Key, FragmentedPacket>()
    private(set) var heldBytes = 0
    /// Fragments that became no packet.
    private(set) var lost = 0
    /// In bytes: how much was looked at or copied.
    private(set) var work = 0

    /// Adds a packet or fragment.
    ///
    /// - Returns: the packet, once it is complete; several if its fragments overlap and disagree, for systems put these together
    ///   in different ways.
    mutating func add(_ packet: NetworkPacket, tags: FrameTags, milliseconds: Int64) -> [NetworkPacket] {
        guard let fragment = packet.fragment else { return [packet] }
        guard Self.isWellFormed(packet, fragment) else {
            lost += 1
            return []
        }
        let key = Key(
            source: packet.source, destination: packet.destination, identification: fragment.identification,
            inside: packet.source.isVersion6 ? 0 : packet.inside, tags: tags)
        if let old = waiting[key], milliseconds - old.milliseconds > Self.lifetime { drop(key) }
        if waiting[key] == nil { waiting.insert(FragmentedPacket(milliseconds: milliseconds), for: key) }
        let (isTaken, isWhole) = waiting.use(key) { ($0.add(packet, fragment), $0.isWhole) } ?? (false, false)
        work += packet.payload.count + FragmentedPacket.maxBytes / FragmentedPacket.block / 64
        guard isTaken else {
            lost += 1
            return []
        }
        heldBytes += packet.payload.count
        if isWhole { return complete(key, isEveryWay: tags.depth == 0) }
        while waiting.count > Self.maxPackets || heldBytes > Self.maxBytes, let oldest = waiting.removeOldest() {
            count(lost: oldest.value)
        }
        return []
    }

    /// Drops what is incomplete.
    mutating func finish() {
        while let oldest = waiting.removeOldest() { count(lost: oldest.value) }
    }

    /// All but the last one hold whole blocks, and none is empty: receivers drop others, too (RFC 791, section 3.2).
    private static func isWellFormed(_ packet: NetworkPacket, _ fragment: NetworkPacket.Fragment) -> Bool {
        !packet.payload.isEmpty && !packet.isCut && (fragment.isLast || packet.payload.count % FragmentedPacket.block == 0)
            && fragment.offset + packet.payload.count <= FragmentedPacket.maxBytes
    }

    private mutating func complete(_ key: Key, isEveryWay: Bool) -> [NetworkPacket] {
        guard let whole = waiting.remove(key) else { return [] }
        heldBytes -= whole.heldBytes
        let packets = whole.packets(isEveryWay: isEveryWay)
        work += whole.heldBytes * max(1, packets.count)
        return packets
    }

    private mutating func drop(_ key: Key) {
        if let old = waiting.remove(key) { count(lost: old) }
    }

    private mutating func count(lost packet: FragmentedPacket) {
        heldBytes -= packet.heldBytes
        lost += packet.count
    }
}
