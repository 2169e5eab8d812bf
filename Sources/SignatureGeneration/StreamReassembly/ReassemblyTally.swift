// SPDX-License-Identifier: Apache-2.0

/// What reassembly left out, and why.
public struct ReassemblyTally: Hashable, Sendable {
    /// Frames without a part of a stream, by what they hold instead, such as `EtherType 0x0806` or `IP protocol 50`.
    public private(set) var skipped: [String: Int] = [:]
    /// All of them.
    public private(set) var skippedFrames = 0
    /// Packets of which the capture has only the beginning (a snapshot length): what was cut off is in no stream.
    public internal(set) var cutPackets = 0
    /// Segments that no receiver takes: with a wrong checksum, outside of the receiver's window, without an acknowledgement, or
    /// with one of what was never sent; and resets like these.
    public internal(set) var ignoredSegments = 0
    /// Places at which bytes of a stream are missing: they were not captured, or came after too many others.
    public internal(set) var gaps = 0
    /// Connections that were ended to keep to ``ReassemblyBounds/flows`` and ``ReassemblyBounds/memory``. What comes of them later
    /// is a stream of its own.
    public internal(set) var endedEarly = 0
    /// Fragments that never became a packet: malformed, too many, or without the others.
    public internal(set) var lostFragments = 0

    /// The most kinds that are told apart: an attacker chooses them.
    private static let maxKinds = 24

    public init() {}

    /// For people: what the skipped frames hold, the most frequent first.
    public var skippedKinds: String {
        skipped.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    /// Adds what was left out of another capture.
    public mutating func add(_ other: ReassemblyTally) {
        for (kind, count) in other.skipped { skip(kind, count) }
        cutPackets += other.cutPackets
        ignoredSegments += other.ignoredSegments
        gaps += other.gaps
        endedEarly += other.endedEarly
        lostFragments += other.lostFragments
    }

    mutating func skip(_ kind: String, _ count: Int = 1) {
        skippedFrames += count
        let isNew = skipped[kind] == nil
        skipped[isNew && skipped.count >= Self.maxKinds ? "other" : kind, default: 0] += count
    }
}
