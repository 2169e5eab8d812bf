// SPDX-License-Identifier: Apache-2.0

/// A TCP connection with data.
struct TCPConnection {
    /// What a segment does to it.
    enum Outcome {
        case continues
        /// No receiver takes the segment.
        case ignored
        case ends
        /// The segment belongs to a new connection between the same endpoints.
        case isReplaced(by: TCPOpening)
    }

    let number: Int
    let key: FlowKey
    let client: Side
    private let opening: TCPOpening
    private var trust: Both<SegmentTrust>
    private(set) var streams: Both<StreamAssembly>
    /// The position in each side's stream that its peer's windows reach up to; `nil` before the first.
    private var edges = Both<Int?>(one: nil, two: nil)
    /// Up to where each side has sent, as far as its own segments show; `nil` before the first.
    private var furthest = Both<UInt32?>(one: nil, two: nil)
    private var doubtful: Both<DoubtfulSegments>
    /// A new connection that may begin: a SYN is believed when it is answered, or when data follow that can't belong to the old.
    private var pending: TCPOpening?
    private var pendingSide = Side.one

    /// - Parameters:
    ///   - first: its first segment with data, which is not added yet.
    ///   - side: the side that sent it.
    init(number: Int, key: FlowKey, opening: TCPOpening, first: TCPSegment, from side: Side, bounds: ReassemblyBounds) {
        self.number = number
        self.key = key
        self.opening = opening
        trust = opening.trust
        doubtful = Both(one: DoubtfulSegments(), two: DoubtfulSegments())
        furthest = Both(one: opening.next(of: .one), two: opening.next(of: .two))
        // If the beginning was not captured, the side with the higher port is assumed to be the client.
        client = opening.client ?? (key[side].port >= key[side.other].port ? side : side.other)
        streams = Both(one: StreamAssembly(bounds: bounds), two: StreamAssembly(bounds: bounds))
        if first.isAcknowledging { begin(side.other, dataAt: first.acknowledgement) }
    }

    /// In bytes of memory, about.
    var heldBytes: Int { streams.one.heldBytes + streams.two.heldBytes + doubtful.one.heldBytes + doubtful.two.heldBytes }
    /// In bytes: how much was looked at or copied.
    var work: Int { streams.one.work + streams.two.work }
    var gaps: Int { streams.one.gaps + streams.two.gaps }

    mutating func add(_ segment: TCPSegment, from side: Side, milliseconds: Int64) -> Outcome {
        guard trust[side].takes(segment), segment.isTaken else { return .ignored }
        if let opening = replacement(for: segment, from: side, milliseconds: milliseconds) { return .isReplaced(by: opening) }
        if segment.isReset { return isInPlace(segment, from: side) ? .ends : .ignored }
        // A SYN that may open another connection.
        if segment.isSynchronising, segment.payload.isEmpty || pending != nil { return .continues }
        if !segment.payload.isEmpty || segment.isFinal, !begin(side, dataAt: segment.start), segment.payload.isEmpty {
            streams[side].begin(at: segment.start, milliseconds: milliseconds)
        }
        guard !Self.isDoubtful(segment, sent: furthest[side.other]) else {
            for segment in doubtful[side].add(segment, milliseconds: milliseconds) { alone(segment, from: side) }
            return .ignored
        }
        guard accept(segment, from: side, milliseconds: milliseconds) else { return .ignored }
        // What was sent meanwhile may be what the other side acknowledged.
        let sent = furthest[side]
        let explained = doubtful[side.other].take { !Self.isDoubtful($0, sent: sent) }
        for waiting in explained { _ = accept(waiting.segment, from: side.other, milliseconds: waiting.milliseconds) }
        return streams.one.isFinished && streams.two.isFinished ? .ends : .continues
    }

    /// - Returns: whether its receiver takes it.
    private mutating func accept(_ segment: TCPSegment, from side: Side, milliseconds: Int64) -> Bool {
        guard isInWindow(segment, from: side) else { return false }
        streams[side].add(segment.payload, sequence: segment.start, milliseconds: milliseconds)
        acknowledge(segment, from: side)
        if segment.isFinal { streams[side].finish(at: segment.start &+ UInt32(truncatingIfNeeded: segment.payload.count)) }
        if furthest[side].map({ Int32(bitPattern: segment.end &- $0) > 0 }) ?? true { furthest[side] = segment.end }
        return true
    }

    /// Whether data come with an acknowledgement of more than the other side has sent: receivers drop them (RFC 5961, section 5.2),
    /// but what was sent may be captured late.
    private static func isDoubtful(_ segment: TCPSegment, sent: UInt32?) -> Bool {
        guard !segment.payload.isEmpty, segment.isAcknowledging, let sent else { return false }
        return Int32(bitPattern: segment.acknowledgement &- sent) > 0
    }

    private mutating func alone(_ doubtful: DoubtfulSegments.Waiting, from side: Side) {
        streams[side].addAlone(doubtful.segment.payload, sequence: doubtful.segment.start)
    }

    /// The connection's streams that are done, client first.
    mutating func takeParts() -> [(side: Side, part: StreamAssembly.Part)] {
        [client, client.other].flatMap { side in streams[side].takeParts().map { (side, $0) } }
    }

    mutating func end() {
        for side in [Side.one, .two] {
            for segment in doubtful[side].take(where: { _ in true }) { alone(segment, from: side) }
        }
        streams.one.end()
        streams.two.end()
    }

    /// The new connection that a segment shows.
    private mutating func replacement(for segment: TCPSegment, from side: Side, milliseconds: Int64) -> TCPOpening? {
        if segment.isSynchronising, !segment.isAcknowledging {
            if !opening.states(segment.sequence, by: side) {
                var new = TCPOpening()
                _ = new.trust[side].takes(segment)
                new.add(segment, from: side, milliseconds: milliseconds)
                (pending, pendingSide) = (new, side)
            }
            return nil
        }
        guard var new = pending else { return nil }
        if segment.isSynchronising {
            guard side != pendingSide, new.states(segment.acknowledgement &- 1, by: pendingSide) else { return nil }
            _ = new.trust[side].takes(segment)
            new.add(segment, from: side, milliseconds: milliseconds)
            return new
        }
        let isNew = side == pendingSide && !segment.isReset && new.states(segment.sequence &- 1, by: side)
        return isNew && !streams[side].continues(at: segment.sequence) ? new : nil
    }

    /// Begins a side's stream where its SYN says.
    ///
    /// - Parameter sequence: of its first data, or of those that its peer waits for.
    /// - Returns: whether its beginning is known.
    @discardableResult
    private mutating func begin(_ side: Side, dataAt sequence: UInt32) -> Bool {
        if !streams[side].hasBegun, let origin = opening.origin(of: side, dataAt: sequence) {
            streams[side].begin(at: origin, milliseconds: opening.times[side])
        }
        return streams[side].hasBegun
    }

    /// Whether a reset is at the very place that its receiver expects (RFC 5961, section 3.2), as Suricata asks for by default,
    /// too.
    private func isInPlace(_ segment: TCPSegment, from side: Side) -> Bool {
        if let next = streams[side].nextSequence { return segment.sequence == next }
        // Nothing is known of the side's own numbers: it answers data of the other one.
        return segment.isAcknowledging && streams[side.other].nextSequence == segment.acknowledgement
    }

    /// What continues a stream always counts; what goes ahead, only within the receiver's window.
    private func isInWindow(_ segment: TCPSegment, from side: Side) -> Bool {
        guard let edge = edges[side], let position = streams[side].position(of: segment.start) else { return true }
        return position <= edge + TCPWindow.slack || streams[side].continues(at: segment.start)
    }

    private mutating func acknowledge(_ segment: TCPSegment, from side: Side) {
        guard segment.isAcknowledging, let position = streams[side.other].position(of: segment.acknowledgement) else { return }
        streams[side.other].acknowledge(segment.acknowledgement)
        let areScalesKnown = opening.isComplete
        let areScaled = opening.scales.one != nil && opening.scales.two != nil
        let shift = segment.isSynchronising ? 0 : areScalesKnown ? (areScaled ? opening.scales[side] ?? 0 : 0) : TCPWindow.maxScale
        edges[side.other] = max(edges[side.other] ?? 0, position + segment.window << shift)
    }
}
