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
        /// The package of a packet's program was found after the packet was made; `packet-made` names none.
        case packageFound = "package-found"
        case duplicate
        /// The packet is beyond the day's quota and waits for it; `untilTime` says when that allows one like it.
        case overQuota = "over-quota"
        /// Packets were given up, which waited for the quota: others weigh more (`count`; with `packet` when it was that one).
        case givenUp = "given-up"
        case spoolFull = "spool-full"
        /// The link's budget has no room for all of the packet: a snippet of its code goes, or its signature; `message` says which.
        case reduced
        /// What the host could not choose is left to the center: `message` says why, and the packet goes with its code.
        case leftToCenter = "left-to-center"
        /// The packet is in the spool, on the host's disk.
        case spooled
        /// The center has stored the packet; `time` is when its receipt came.
        case sent
        /// The center will never accept the packet; it is set aside.
        case refused
        /// An attempt to send failed; the packet stays in the spool.
        case unreachable
        /// The center refuses this host; packets wait, and sending is tried again now and then.
        case stopped
        /// A packet could not be made or stored.
        case failed
        /// A call of a process that could not be inspected was denied or allowed, as the policy says: `message`.
        case uninspectable
        /// A command's call into a process outside of it was denied or allowed, as the policy says: `message`.
        case otherProcess = "other-process"
        /// Reports were not made (`count`): the same calls had been reported just before, or too many came at once.
        case suppressed
        /// Reports were lost on their way (`count`): more came than could be stored.
        case lost
        /// The center was told how much was withheld on this day.
        case toldCounts = "told-counts"
        /// This host was enrolled at the center; its certificate is valid until `untilTime`.
        case enrolled
        /// The certificate was renewed; it is valid until `untilTime`.
        case renewed
        /// The certificate, valid until `untilTime`, could not be renewed; it is tried again.
        case renewalFailed = "renewal-failed"
        /// Another identity was read from its file.
        case identityChanged = "identity-changed"
        /// The site has other centers now; `message` names them.
        case centersChanged = "centers-changed"
        /// The center replaces its authority: this host trusts another one, too, or no more; `message` says which.
        case authorityChanged = "authority-changed"
        /// Something of this host can't be used, and protection goes on without it: `code` and `message` say what.
        case impaired
    }

    public var event: Name
    /// When the line was written.
    public var time: EventTime
    /// When the call was stalled (of `blocked`, `watched` and `packet-made`; so are the fields up to `cut`).
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
    /// The executable's SHA-256, 64 hexadecimal digits (of `packet-made`).
    public var sha256: String?
    /// The package that the executable belongs to (of `packet-made` or `package-found`; so is the next).
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
    /// The points of the strongest kind, by this host's policy.
    public var points: Int?
    /// What was seen of the strongest kind, for a person.
    public var detail: String?
    /// Why the process's calls are inspected at all: ``MarkReason``, of the agent alone.
    public var markedFor: [String]?
    /// How many bytes of code were extracted.
    public var codeBytes: Int?
    /// How many bytes the signature has that goes in the code's place (of `packet-made`); `nil`: the code goes.
    public var signatureBytes: Int?
    /// What became of the code in its process, where it was to be overwritten: ``EpitopeModel/CodeCut/name``.
    public var cut: String?
    /// The packet's id.
    public var packet: String?
    /// The id of the earlier packet (of `duplicate`).
    public var of: String?
    public var destination: String?
    /// When the center committed the packet, by its clock.
    public var storedTime: EventTime?
    /// Until, or from, when something holds.
    public var untilTime: EventTime?
    /// How many reports or packets the event is of.
    public var count: Int?
    /// How many lines before this one could not be written.
    public var linesLost: Int?
    public var code: String?
    public var message: String?

    public init(_ event: Name, time: EventTime, packet: String? = nil) {
        self.event = event
        self.time = time
        self.packet = packet
    }
}
