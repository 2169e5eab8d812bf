// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// One line of the host's event log. Every line has `event` and `time`; the rest is there where it applies.
public struct HostEvent: Hashable, Sendable, Codable {
    /// What happened.
    public enum Name: String, Hashable, Sendable, Codable, CaseIterable {
        /// A critical call was answered and held to be worth a report (also when the policy only watches).
        case blocked
        case packetMade = "packet-made"
        case duplicate
        case overQuota = "over-quota"
        case spoolFull = "spool-full"
        /// The packet is on the host's disk.
        case spooled
        /// The packet is on the center's disk; `time` is when its receipt came.
        case sent
        /// The center will never take the packet; it is kept aside.
        case refused
        /// An attempt to send failed; the packet waits.
        case unreachable
        /// The center turned this host away; sending has stopped.
        case stopped
        /// A packet could not be made or stored.
        case failed
    }

    public var event: Name
    /// When the line was made: milliseconds since 1970-01-01T00:00:00Z with microseconds as the fraction.
    public var time: Double
    /// When the call was stalled, in milliseconds since 1970-01-01T00:00:00Z (of `blocked` and `packet-made`).
    public var stalledTime: Int64?
    /// What was done about the call.
    public var action: String?
    public var call: String?
    public var processID: Int32?
    /// The container's id or, where it has none of 64 digits, its name (of `blocked`).
    public var container: String?
    /// As `0x…`.
    public var callersAddress: String?
    /// Identity of the packet.
    public var packet: String?
    /// Identity of the earlier packet, of a duplicate.
    public var of: String?
    public var destination: String?
    /// When the center committed the packet, by its clock.
    public var storedTime: Int64?
    public var code: String?
    public var message: String?

    public init(_ event: Name, time: Double, packet: String? = nil) {
        self.event = event
        self.time = time
        self.packet = packet
    }
}
