// SPDX-License-Identifier: Apache-2.0

/// Reassembles one side of a TCP connection by sequence number. Where segments overlap, the first one counts.
///
/// Segments are stored until the stream ends, since they can arrive out of order, and the first can be missing.
struct StreamAssembly {
    private(set) var bytes: [UInt8] = []
    private(set) var isIncomplete = false
    /// How many bytes lie beyond the bound.
    private(set) var cutBytes = 0
    private(set) var firstMilliseconds: Int64?
    private(set) var lastMilliseconds: Int64 = 0
    /// The next sequence number; `nil` before the first segment.
    private var next: UInt32?
    /// Segments with bytes missing before them.
    private var ahead: [(sequence: UInt32, bytes: [UInt8])] = []
    private var aheadBytes = 0
    private let maxBytes: Int

    /// In bytes: how much is stored while bytes before it are missing.
    private static let maxBytesAhead = 1 << 20

    init(maxBytes: Int) {
        self.maxBytes = maxBytes
    }

    /// The side's first sequence number, from its SYN.
    mutating func synchronise(_ sequence: UInt32, milliseconds: Int64) {
        if next == nil { next = sequence &+ 1 }
        recordTime(milliseconds)
    }

    mutating func add(_ payload: ArraySlice<UInt8>, sequence: UInt32, milliseconds: Int64) {
        guard !payload.isEmpty else { return }
        recordTime(milliseconds)
        if next == nil {
            // The connection began before the capture.
            next = sequence
            isIncomplete = true
        }
        if !take(payload, sequence), let next, Int32(bitPattern: sequence &- next) > 0 {
            ahead.append((sequence, Array(payload)))
            aheadBytes += payload.count
            if aheadBytes > Self.maxBytesAhead { skipGap() }
        }
        while takeAhead() {}
    }

    /// Ends the stream: bytes that are missing now are left out.
    mutating func end() {
        while !ahead.isEmpty {
            skipGap()
            while takeAhead() {}
        }
    }

    private mutating func recordTime(_ milliseconds: Int64) {
        firstMilliseconds = firstMilliseconds ?? milliseconds
        lastMilliseconds = max(lastMilliseconds, milliseconds)
    }

    /// Whether the segment continues the stream, or lies inside it.
    private mutating func take(_ payload: ArraySlice<UInt8>, _ sequence: UInt32) -> Bool {
        guard let next else { return false }
        // Sequence numbers are compared by the sign of their difference, so that they may wrap around (RFC 793).
        let known = Int(Int32(bitPattern: next &- sequence))
        guard known >= 0 else { return false }
        let new = payload.dropFirst(known)
        self.next = next &+ UInt32(new.count)
        let room = max(0, maxBytes - bytes.count)
        if new.count > room {
            isIncomplete = true
            cutBytes += new.count - room
        }
        bytes += new.prefix(room)
        return true
    }

    private mutating func takeAhead() -> Bool {
        guard let index = ahead.indices.first(where: { take(ahead[$0].bytes[...], ahead[$0].sequence) }) else { return false }
        aheadBytes -= ahead.remove(at: index).bytes.count
        return true
    }

    private mutating func skipGap() {
        guard let next, let nearest = ahead.min(by: { $0.sequence &- next < $1.sequence &- next }) else { return }
        isIncomplete = true
        self.next = nearest.sequence
    }
}
