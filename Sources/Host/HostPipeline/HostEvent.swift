// SPDX-License-Identifier: Apache-2.0

/// One line of the host's event log. Every line has `event` and `time`, and the other fields that apply to the event.
public struct HostEvent: Hashable, Sendable, Codable {
    /// What happened.
    public enum Name: String, Hashable, Sendable, Codable, CaseIterable {
        /// A critical call was denied as an attack; what else was done is `action`.
        case blocked
        /// A critical call gave enough evidence for a report, and was allowed.
        case watched
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
        /// A call of a process that could not be inspected was denied or allowed, as the policy says: `message`.
        case uninspectable
        /// A command's call into a process outside of it was denied or allowed, as the policy says: `message`.
        case otherProcess = "other-process"
    }

    public var event: Name
    /// When the line was written.
    public var time: EventTime
    /// When the call was stalled (of `blocked`, `watched` and `packet-made`; so are the fields up to `codeBytes`).
    public var stalledTime: EventTime?
    /// The protective action on the call.
    public var action: String?
    public var call: String?
    /// What the call was for: the address of a connection, the path of a program.
    public var target: String?
    public var processID: Int32?
    /// The process's name, at most 15 bytes: whoever controls the process can set it.
    public var processName: String?
    public var executable: String?
    /// The executable's SHA-256, 64 hexadecimal digits (of `packet-made`; so are the next two).
    public var sha256: String?
    /// The package that the executable belongs to.
    public var package: String?
    public var packageVersion: String?
    public var userID: UInt32?
    public var user: String?
    /// The container's id of 64 digits, or its name where it has no such id.
    public var container: String?
    /// As `0x…`.
    public var callersAddress: String?
    /// The kinds of evidence, the strongest first.
    public var evidence: [String]?
    /// What was seen of the strongest kind, for a person.
    public var detail: String?
    /// How many bytes of code were extracted.
    public var codeBytes: Int?
    /// The packet's id.
    public var packet: String?
    /// The id of the earlier packet (of `duplicate`).
    public var of: String?
    public var destination: String?
    /// When the center committed the packet, by its clock.
    public var storedTime: EventTime?
    public var code: String?
    public var message: String?

    public init(_ event: Name, time: EventTime, packet: String? = nil) {
        self.event = event
        self.time = time
        self.packet = packet
    }
}
