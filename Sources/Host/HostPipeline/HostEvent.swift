// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// One line of the host's event log. Every line has `event` and `time`, and the other fields that apply to the event.
public struct HostEvent: Hashable, Sendable, Codable {
    /// What happened.
    public enum Name: String, Hashable, Sendable, Codable, CaseIterable {
        /// A critical call was detected as an attack (also when the policy only watches).
        case blocked
        case packetMade = "packet-made"
        case duplicate
        case overQuota = "over-quota"
        case spoolFull = "spool-full"
        /// The packet is in the spool, on the host's disk.
        case spooled
        /// The center has stored the packet; `time` is when its receipt came.
        case sent
        /// The center will never accept the packet; it is set aside.
        case refused
        /// An attempt to send failed; the packet stays in the spool.
        case unreachable
        /// The center refused this host; sending has stopped.
        case stopped
        /// A packet could not be made or stored.
        case failed
    }

    public var event: Name
    /// When the line was written: milliseconds since 1970-01-01T00:00:00Z, with microseconds as the fraction.
    public var time: Double
    /// When the call was stalled, in milliseconds since 1970-01-01T00:00:00Z (of `blocked` and `packet-made`).
    public var stalledTime: Int64?
    /// The protective action on the call.
    public var action: String?
    public var call: String?
    public var processID: Int32?
    /// The container's id of 64 digits, or its name where it has no such id (of `blocked`).
    public var container: String?
    /// As `0x…`.
    public var callersAddress: String?
    /// The packet's id.
    public var packet: String?
    /// The id of the earlier packet (of `duplicate`).
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
