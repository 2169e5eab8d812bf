// SPDX-License-Identifier: Apache-2.0

/// The fragments of one packet so far.
struct FragmentedPacket {
    private struct Part {
        var offset: Int
        var bytes: ArraySlice<UInt8>
    }

    /// How a system decides between a fragment's byte and that of one that came before it (Novak, Target-Based Fragmentation
    /// Reassembly, 2005). Suricata has a policy by host; that of BSD is its default.
    private enum Policy: CaseIterable {
        case bsd
        case first
        case last
        case linux

        /// Whether the new fragment's byte counts, by the offsets at which the two begin.
        func takes(new: Int, over old: Int) -> Bool {
            switch self {
            case .bsd: new < old
            case .first: false
            case .last: true
            case .linux: new <= old
            }
        }
    }

    /// In bytes: the limit of IP.
    static let maxBytes = 65535
    /// In bytes: offsets count in blocks of these.
    static let block = 8

    /// The packet of the first fragment: only this one names what is inside, in IPv6.
    private var first: NetworkPacket?
    private var parts: [Part] = []
    /// A bit for each block that a fragment covers.
    private var covered = [UInt64](repeating: 0, count: 128)
    private var length: Int?
    private(set) var heldBytes = 0
    private var isHeaderRight = true
    let milliseconds: Int64

    init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// The number of fragments.
    var count: Int { parts.count }

    /// - Returns: whether it was taken: fragments that overlap without end are not.
    mutating func add(_ packet: NetworkPacket, _ fragment: NetworkPacket.Fragment) -> Bool {
        guard heldBytes + packet.payload.count <= 2 * Self.maxBytes else { return false }
        heldBytes += packet.payload.count
        isHeaderRight = isHeaderRight && packet.isHeaderRight
        parts.append(Part(offset: fragment.offset, bytes: packet.payload))
        if fragment.offset == 0, first == nil { first = packet }
        let end = fragment.offset + packet.payload.count
        if fragment.isLast, length == nil { length = end }
        for number in fragment.offset / Self.block..<(end + Self.block - 1) / Self.block {
            covered[number >> 6] |= 1 << UInt64(number & 63)
        }
        return true
    }

    /// Whether no byte is missing.
    var isWhole: Bool {
        guard let length, first != nil else { return false }
        let blocks = (length + Self.block - 1) / Self.block
        let (words, bits) = (blocks >> 6, UInt64(blocks & 63))
        return covered[..<words].allSatisfy { $0 == .max } && (bits == 0 || ~covered[words] & (1 << bits - 1) == 0)
    }

    /// The packet, once for each different way in which systems put overlapping fragments together.
    ///
    /// - Parameter isEveryWay: whether more than the default way is asked for.
    func packets(isEveryWay: Bool) -> [NetworkPacket] {
        guard var packet = first, let length else { return [] }
        var ways: [[UInt8]] = []
        for policy in Policy.allCases {
            let (bytes, hasConflict) = whole(length, by: policy)
            if !ways.contains(bytes) { ways.append(bytes) }
            if !hasConflict || !isEveryWay { break }
        }
        packet.fragment = nil
        packet.isHeaderRight = isHeaderRight
        return ways.compactMap { bytes in
            var way = packet
            way.payload = bytes[...]
            // The extension headers of IPv6 that were divided with the payload.
            guard !way.source.isVersion6 || way.skipExtensions(), way.fragment == nil else { return nil }
            return way
        }
    }

    private func whole(_ length: Int, by policy: Policy) -> (bytes: [UInt8], hasConflict: Bool) {
        var bytes = [UInt8](repeating: 0, count: length)
        /// Where the fragment begins that each byte is from.
        var owners = [Int32](repeating: -1, count: length)
        var hasConflict = false
        // Fragments may lie behind the one that says it is the last.
        for part in parts where part.offset < length {
            for (place, byte) in zip(part.offset..<length, part.bytes) {
                let owner = Int(owners[place])
                if owner >= 0 {
                    if bytes[place] != byte { hasConflict = true }
                    guard policy.takes(new: part.offset, over: owner) else { continue }
                }
                bytes[place] = byte
                owners[place] = Int32(part.offset)
            }
        }
        return (bytes, hasConflict)
    }
}
