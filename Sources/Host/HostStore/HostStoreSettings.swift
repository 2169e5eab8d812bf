// SPDX-License-Identifier: Apache-2.0

public import Novelty

/// Where a host sends its packets.
public enum Destination: String, Hashable, Sendable, Codable, CaseIterable {
    /// The site's local analysis center.
    case local
    /// The global analysis center.
    case global
}

/// What the store decides by, and its bounds.
public struct HostStoreSettings: Hashable, Sendable {
    public var novelty: NoveltyPolicy
    /// Packets from this host in a day.
    public var quota: DailyQuota
    /// The most packets that wait for one destination. With three new ones a day the default lasts a year of outage.
    public var spoolPackets: Int
    /// The most bytes of packets that wait, over all destinations.
    public var spoolBytes: Int
    /// How many packets are remembered to tell duplicates by; beyond it the one not seen for longest is forgotten.
    public var remembered: Int
    /// How many refused packets are kept for a person to look at.
    public var refusedKept: Int

    public init(
        novelty: NoveltyPolicy = NoveltyPolicy(), quota: DailyQuota = DailyQuota(), spoolPackets: Int = 1024,
        spoolBytes: Int = 64 << 20, remembered: Int = 4096, refusedKept: Int = 256
    ) {
        self.novelty = novelty
        self.quota = quota
        self.spoolPackets = max(0, spoolPackets)
        self.spoolBytes = max(0, spoolBytes)
        self.remembered = max(1, remembered)
        self.refusedKept = max(0, refusedKept)
    }
}

/// What became of a packet that was brought to the store.
public enum Admission: Hashable, Sendable {
    /// It is on disk, once for each destination, and will be sent.
    case accepted
    /// It matches a packet seen before.
    case duplicate(of: String)
    /// The day's packets are used up; the time at which the next one fits, `nil` when none ever does.
    case overQuota(nextAllowedMilliseconds: Int64?)
    /// The spool is full; nothing of this packet was kept.
    case spoolFull(waiting: Int)
}

/// A packet that waits to be sent.
public struct SpooledPacket: Hashable, Sendable {
    /// The order of sending within a destination; never used twice.
    public var sequence: Int64
    public var packetID: String
    public var destination: Destination
    /// As ``EpitopeModel/ExtractedPacket`` encodes.
    public var encoded: [UInt8]
}

/// A packet that a center turned down for good.
public struct RefusedPacket: Hashable, Sendable {
    public var packetID: String
    public var destination: Destination
    public var code: String
    public var message: String
    public var timeMilliseconds: Int64
    public var encoded: [UInt8]
}
