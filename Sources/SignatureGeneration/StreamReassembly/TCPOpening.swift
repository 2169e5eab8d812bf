// SPDX-License-Identifier: Apache-2.0

/// What is known of a connection before its first data: little enough that a port scan costs next to nothing.
struct TCPOpening {
    /// The first sequence number that a side stated itself, and the one that its peer answered.
    private var stated = Both<UInt32?>(one: nil, two: nil)
    private var answered = Both<UInt32?>(one: nil, two: nil)
    /// By how many bits each side shifts its windows; `nil` if it doesn't say.
    private(set) var scales = Both<Int?>(one: nil, two: nil)
    /// The side that opened it, as far as that is known.
    private(set) var client: Side?
    /// When each side's SYN came.
    private(set) var times = Both<Int64?>(one: nil, two: nil)
    var trust = Both<SegmentTrust>(one: SegmentTrust(), two: SegmentTrust())

    /// Whether both sides' SYN was seen, so that windows are shifted as they say.
    var isComplete: Bool { stated.one != nil && stated.two != nil }

    /// A segment with SYN.
    mutating func add(_ segment: TCPSegment, from side: Side, milliseconds: Int64) {
        times[side] = times[side] ?? milliseconds
        if segment.isAcknowledging {
            answered[side.other] = segment.acknowledgement &- 1
            client = side.other
        } else {
            client = side
        }
        stated[side] = segment.sequence
        scales[side] = segment.windowScale
    }

    /// The first sequence number of a side whose first data begin at another one: the number that its peer answered, or that it
    /// stated, if the data are at it or near behind it; else `nil`.
    func origin(of side: Side, dataAt sequence: UInt32) -> UInt32? {
        let known = [answered[side], stated[side]].compactMap { $0.map { $0 &+ 1 } }
        return known.contains(sequence) ? sequence : known.first { sequence &- $0 < UInt32(StreamAssembly.maxAhead) }
    }

    /// The first sequence number behind a side's SYN; `nil` where that was not captured.
    func next(of side: Side) -> UInt32? { stated[side].map { $0 &+ 1 } }

    /// Whether a side states that it begins at this sequence number.
    func states(_ sequence: UInt32, by side: Side) -> Bool { stated[side] == sequence }
}
