// SPDX-License-Identifier: Apache-2.0

public import Novelty
public import PacketCoding
public import Signatures

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
    /// Beyond it packets go smaller.
    public var link: LinkBudget
    /// The size of the signature that goes where nothing else has room, in bytes.
    public var signatureBytes: Int
    /// Packets that wait for the quota. Beyond it the one that weighs least is given up and counted.
    public var maxHeldPackets: Int
    /// Bytes of packets that wait for the quota.
    public var maxHeldBytes: Int
    /// Packets that wait for one destination. At three new packets a day the default lasts for a year without the center.
    public var maxSpooledPackets: Int
    /// Bytes of packets that wait, over all destinations.
    public var maxSpooledBytes: Int
    /// Packets that are remembered to detect duplicates. Beyond it the one not seen for the longest time is forgotten.
    public var maxRememberedPackets: Int
    /// Refused packets that are kept for a person to look at.
    public var maxRefusedPackets: Int

    public init(
        novelty: NoveltyPolicy = NoveltyPolicy(), quota: DailyQuota = DailyQuota(), link: LinkBudget = LinkBudget(),
        signatureBytes: Int = CallerWindow.length, maxSpooledPackets: Int = 1024,
        maxSpooledBytes: Int = 64 << 20, maxRememberedPackets: Int = 4096, maxRefusedPackets: Int = 256,
        maxHeldPackets: Int = 256, maxHeldBytes: Int = 8 << 20
    ) {
        self.novelty = novelty
        self.quota = quota
        self.link = link
        self.signatureBytes = signatureBytes
        self.maxSpooledPackets = max(0, maxSpooledPackets)
        self.maxSpooledBytes = max(0, maxSpooledBytes)
        self.maxRememberedPackets = max(1, maxRememberedPackets)
        self.maxRefusedPackets = max(0, maxRefusedPackets)
        self.maxHeldPackets = max(0, maxHeldPackets)
        self.maxHeldBytes = max(0, maxHeldBytes)
    }
}

/// Whether a packet was admitted to the spool.
public enum Admission: Hashable, Sendable {
    /// It is in the spool of each destination, and will be sent.
    case accepted
    /// It matches a packet admitted before.
    case duplicate(of: String)
    /// The day's quota is used up, and the packet waits for it; the time at which one like it is allowed, `nil` for a quota of 0.
    case overQuota(nextAllowedMilliseconds: Int64?)
    /// As ``overQuota(nextAllowedMilliseconds:)``, but the packets that wait weigh more, and there is no room for another.
    case givenUp(nextAllowedMilliseconds: Int64?)
    /// The spool is full; the packet was not stored.
    case spoolFull(waiting: Int)
}

/// What a look at the packets that wait for the quota came to.
public struct QuotaRound: Hashable, Sendable {
    /// What became of the packet that was admitted; `nil` when there was none.
    public var admission: Admission?
    /// Packets that had waited for the quota, and are in the spool now; in the order in which they weigh.
    public var released: [String] = []
    /// Packets that went to the spool smaller than they were, since the link's budget has no room for more; by their ids.
    public var reduced: [String: LinkBudget.Form] = [:]
    /// How many packets that waited were given up for one that weighs more.
    public var displaced = 0
    /// When the quota allows the next of those that wait; `nil` when none waits, or the quota is 0.
    public var nextMilliseconds: Int64?
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
