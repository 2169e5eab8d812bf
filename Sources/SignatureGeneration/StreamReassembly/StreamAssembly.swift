// SPDX-License-Identifier: Apache-2.0

/// Reassembles one side of a TCP connection by sequence number, and hands it on in parts.
///
/// Where segments overlap and disagree, both versions are kept: which bytes the receiver took depends on its system, and on
/// whether each segment reached it.
struct StreamAssembly {
    /// A part that is done.
    struct Part {
        var bytes: [UInt8]
        var offset: Int
        var overlap = 0
        var version = CapturedStream.Version.earlier
        var isContinued = false
        var isIncomplete = false
    }

    /// In bytes: what lies between two gaps is handed on from this length on. No signature and no evidence is shorter
    /// (`Signature.minFixedBytes`, `WireMatcher`), and a stream with a gap behind each byte would be more parts than bytes.
    static let minBetweenGaps = 8

    /// In bytes of memory: how much is held while bytes before it are missing.
    static let maxAhead = 2 << 20

    private let bounds: ReassemblyBounds
    /// The sequence number of position 0; `nil` before the first segment.
    private var origin: UInt32?
    /// What follows ``start`` without a hole, beginning with the end of the last part.
    private var bytes: [UInt8] = []
    /// As ``bytes``, with those that came last; `nil` if none disagreed.
    private var later: [UInt8]?
    /// The position of the first of ``bytes``.
    private var start = 0
    /// How many of ``bytes`` were in the last part.
    private var carried = 0
    /// Where the bytes begin that follow each other up to ``next``; before it some may be missing.
    private var holeEnd = 0
    private var acknowledged = 0
    private var ahead = AheadPages()
    /// The position of the stream's end, if that was announced.
    private var finish: Int?
    private var isIncomplete = false
    private var ownWork = 0
    private(set) var gaps = 0
    private(set) var parts: [Part] = []
    /// Whether a part was handed on.
    private var isContinued = false
    private(set) var firstMilliseconds: Int64?
    private(set) var lastMilliseconds: Int64 = 0

    init(bounds: ReassemblyBounds) {
        self.bounds = bounds
    }

    /// The position of the first byte that is missing.
    private var next: Int { start + bytes.count }
    /// In bytes of memory, about.
    var heldBytes: Int { bytes.count + (later?.count ?? 0) + ahead.cost }
    /// Whether nothing was handed on since the last gap.
    private var isBehindGap: Bool { gaps > 0 && start == holeEnd && carried == 0 }
    /// Whether its end came, and everything before it.
    var isFinished: Bool { finish.map { next >= $0 } ?? false }
    /// In bytes: how much was looked at or copied.
    var work: Int { ownWork + ahead.work }
    /// The next sequence number; `nil` before the first segment.
    var nextSequence: UInt32? { origin.map { $0 &+ UInt32(truncatingIfNeeded: next) } }

    /// Whether the sequence number of its first byte is known.
    var hasBegun: Bool { origin != nil }

    /// The sequence number of the first byte, from the side's SYN. Without it, the first segment's counts.
    mutating func begin(at sequence: UInt32, milliseconds: Int64?) {
        origin = sequence
        firstMilliseconds = milliseconds
    }

    /// A sequence number's position; `nil` before the first segment. Differences are compared by their sign, so that numbers may
    /// wrap around (RFC 9293, section 3.4).
    func position(of sequence: UInt32) -> Int? {
        nextSequence.map { next + Int(Int32(bitPattern: sequence &- $0)) }
    }

    /// Whether a segment at a sequence number would continue the stream, or repeat a part of it.
    func continues(at sequence: UInt32) -> Bool {
        position(of: sequence).map { $0 <= next && $0 >= max(0, next - Self.maxAhead) } ?? true
    }

    /// The receiver has everything before this sequence number: what comes of it again is not taken.
    mutating func acknowledge(_ sequence: UInt32) {
        guard let position = position(of: sequence) else { return }
        acknowledged = max(acknowledged, min(position, next))
    }

    mutating func finish(at sequence: UInt32) {
        guard finish == nil, let position = position(of: sequence), position >= next else { return }
        finish = position
    }

    mutating func takeParts() -> [Part] {
        defer { parts = [] }
        return parts
    }

    mutating func add(_ payload: ArraySlice<UInt8>, sequence: UInt32, milliseconds: Int64) {
        guard !payload.isEmpty else { return }
        if origin == nil {
            // The connection began before the capture.
            origin = sequence
            isIncomplete = true
        }
        guard let position = position(of: sequence) else { return }
        firstMilliseconds = firstMilliseconds ?? milliseconds
        lastMilliseconds = max(lastMilliseconds, milliseconds)
        ownWork += payload.count
        if position < next { compare(payload.prefix(next - position), at: position) }
        let new = payload.dropFirst(max(0, next - position))
        guard !new.isEmpty else { return }
        let place = max(position, next)
        if place == next, !ahead.touches(place..<place + new.count) {
            append(new, later: nil)
        } else {
            if ahead.put(new, at: place) { emit(segment: payload, at: position) }
        }
        while let run = ahead.isEmpty ? nil : ahead.take(from: next) { append(run.bytes[...], later: run.later?[...]) }
        if ahead.cost > Self.maxAhead { skipGaps() }
    }

    /// Adds bytes that may not have been taken: they are searched alone, and change nothing.
    mutating func addAlone(_ payload: ArraySlice<UInt8>, sequence: UInt32) {
        guard !payload.isEmpty, let position = position(of: sequence) else { return }
        ownWork += payload.count
        emit(segment: payload, at: position)
    }

    /// Ends the stream: bytes that are missing now are left out.
    mutating func end() {
        skipGaps()
        emit()
        bytes = []
    }

    /// A segment, or the part of it, that lies before the end of what is there.
    private mutating func compare(_ payload: ArraySlice<UInt8>, at position: Int) {
        let end = position + payload.count
        // Receivers don't take again what they acknowledged.
        if end <= acknowledged, position >= holeEnd { return }
        if position < start {
            // What it repeats was handed on, or was missing then.
            emit(segment: payload, at: position)
            return
        }
        let place = position - start..<end - start
        guard !bytes[place].elementsEqual(payload) else { return }
        if let later, !later[place].elementsEqual(bytes[place]) { emit(segment: payload, at: position) }
        var changed = later ?? bytes
        if later == nil { ownWork += bytes.count }
        later = nil
        changed.replaceSubrange(place, with: payload)
        later = changed
        carried = min(carried, place.lowerBound)
    }

    private mutating func append(_ new: ArraySlice<UInt8>, later newLater: ArraySlice<UInt8>?) {
        var rest = new.startIndex
        while rest < new.endIndex {
            if newLater != nil, later == nil {
                later = bytes
                ownWork += bytes.count
            }
            let end = min(new.endIndex, rest + max(1, bounds.part - (bytes.count - carried)))
            bytes += new[rest..<end]
            // Both slices may begin at different indices.
            later? += newLater?.dropFirst(rest - new.startIndex).prefix(end - rest) ?? new[rest..<end]
            rest = end
            if bytes.count - carried >= bounds.part { emit() }
        }
    }

    private mutating func skipGaps() {
        guard !ahead.isEmpty else { return }
        for run in ahead.takeAll(from: next) {
            emit()
            gaps += 1
            isIncomplete = true
            (bytes, later, carried) = ([], nil, 0)
            (start, holeEnd) = (run.position, run.position)
            append(run.bytes[...], later: run.later?[...])
        }
    }

    /// Hands on what is there, and keeps its end for the next part.
    private mutating func emit() {
        guard bytes.count > carried, !isBehindGap || bytes.count >= Self.minBetweenGaps else { return }
        let whole = Part(bytes: bytes, offset: start, overlap: carried, isContinued: isContinued, isIncomplete: isIncomplete)
        add(whole)
        if let later {
            var second = whole
            (second.bytes, second.version, second.isContinued) = (later, .later, true)
            add(second)
        }
        ownWork += bytes.count + (later?.count ?? 0)
        isIncomplete = false
        let dropped = max(0, bytes.count - bounds.overlap)
        start += dropped
        bytes = Array(bytes[dropped...])
        later = later.map { Array($0[dropped...]) }
        if later == bytes { later = nil }
        carried = bytes.count
    }

    private mutating func emit(segment payload: ArraySlice<UInt8>, at position: Int) {
        add(Part(bytes: Array(payload), offset: max(0, position), version: .segment, isContinued: isContinued))
    }

    private mutating func add(_ part: Part) {
        parts.append(part)
        isContinued = true
    }
}
