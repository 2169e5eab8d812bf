// SPDX-License-Identifier: Apache-2.0

public import Novelty
public import PacketCoding

/// Where a host sends its packets.
public enum Destination: String, Hashable, Sendable, Codable, CaseIterable {
    /// The site's local analysis center.
    case local
    /// The global analysis center.
    case global
}

/// The store's rules for admission, and its bounds.
public struct HostStoreSettings: Hashable, Sendable {
    public var novelty: NoveltyPolicy
    /// Of packets from this host.
    public var quota: DailyQuota
    /// Packets that wait for one destination. At three new packets a day the default lasts for a year without the center.
    public var maxSpooledPackets: Int
    /// Bytes of packets that wait, over all destinations.
    public var maxSpooledBytes: Int
    /// Packets that are remembered to detect duplicates. Beyond it the one not seen for the longest time is forgotten.
    public var maxRememberedPackets: Int
    /// Refused packets that are kept for a person to look at.
    public var maxRefusedPackets: Int

    public init(
        novelty: NoveltyPolicy = NoveltyPolicy(), quota: DailyQuota = DailyQuota(), maxSpooledPackets: Int = 1024,
        maxSpooledBytes: Int = 64 << 20, maxRememberedPackets: Int = 4096, maxRefusedPackets: Int = 256
    ) {
        self.novelty = novelty
        self.quota = quota
        self.maxSpooledPackets = max(0, maxSpooledPackets)
        self.maxSpooledBytes = max(0, maxSpooledBytes)
        self.maxRememberedPackets = max(1, maxRememberedPackets)
        self.maxRefusedPackets = max(0, maxRefusedPackets)
    }
}

/// Whether a packet was admitted to the spool.
public enum Admission: Hashable, Sendable {
    /// It is in the spool of each destination, and will be sent.
    case accepted
    /// It matches a packet admitted before.
    case duplicate(of: String)
    /// The day's quota is used up; the time at which the next packet is allowed, `nil` for a quota of 0.
    case overQuota(nextAllowedMilliseconds: Int64?)
    /// The spool is full; the packet was not stored.
    case spoolFull(waiting: Int)
}

/// A packet that waits to be sent.
public struct SpooledPacket: Hashable, Sendable {
    /// The order within a destination; a number is never used twice.
    public var sequence: Int64
    public var destination: Destination
    public var packet: EncodedPacket
}

/// A packet that a center refused for good.
public struct RefusedPacket: Hashable, Sendable {
    public var packetID: String
    public var destination: Destination
    public var code: String
    public var message: String
    public var timeMilliseconds: Int64
    public var encoded: [UInt8]
}
