// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HostStore
import Novelty

/// Packets that could not be stored, such as on a full disk, kept in memory until they can be.
struct PacketBacklog: Sendable {
    /// How many are kept: a packet has some 10 KiB.
    static let maxPackets = 64

    private(set) var packets: [ExtractedPacket] = []
    /// Which centers have those that were sent from here, or will never take them; of packets that are taken out to be stored, too.
    private var settled: [String: Set<Destination>] = [:]

    /// Keeps a packet. Of more than there is room for, the latest of those with the least points is lost, but first those of
    /// a program with more than one.
    ///
    /// - Returns: whether one was lost.
    mutating func add(_ packet: ExtractedPacket) -> Bool {
        packets.append(packet)
        guard packets.count > Self.maxPackets else { return false }
        let claims = packets.map { QuotaClaim($0) }
        let counts = Dictionary(grouping: claims, by: \.program).mapValues(\.count)
        let lightest = packets.indices.min { one, other in
            let (first, second) = (claims[one], claims[other])
            let isOne = ((counts[first.program] ?? 0) == 1, (counts[second.program] ?? 0) == 1)
            if isOne.0 != isOne.1 { return isOne.1 }
            return (first.points, -one) < (second.points, -other)
        }
        if let lightest { packets.remove(at: lightest) }
        return true
    }

    /// All packets, which are no longer kept here.
    mutating func takeAll() -> [ExtractedPacket] {
        defer { packets = [] }
        return packets
    }

    /// The packet that weighs most of those that a center has not settled.
    func next(for destination: Destination) -> ExtractedPacket? {
        let open = packets.filter { settled[$0.id]?.contains(destination) != true }
        guard let points = open.map({ QuotaClaim($0).points }).max() else { return nil }
        return open.first { QuotaClaim($0).points == points }
    }

    /// Notes that a center needs not be sent a packet from here any more.
    mutating func settle(_ id: String, at destination: Destination) {
        settled[id, default: []].insert(destination)
        guard settled.count > 4 * Self.maxPackets else { return }
        let kept = Set(packets.map(\.id))
        settled = settled.filter { kept.contains($0.key) }
    }

    /// Whether each of some centers has settled a packet.
    func isSettled(_ id: String, at destinations: [Destination]) -> Bool {
        settled[id].map { $0.isSuperset(of: destinations) } ?? false
    }
}
