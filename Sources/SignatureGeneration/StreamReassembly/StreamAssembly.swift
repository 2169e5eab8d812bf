// SPDX-License-Identifier: Apache-2.0

/// One side of a TCP connection put together: by sequence number, what came first wins.
///
/// Segments are kept until the stream is asked for: the one that follows can come late, and the first can be missing.
struct StreamAssembly {
    private(set) var bytes: [UInt8] = []
    private(set) var isIncomplete = false
    private(set) var firstMilliseconds: Int64?
    private(set) var lastMilliseconds: Int64 = 0
    /// The sequence number that comes next; `nil` before the first segment.
    private var next: UInt32?
    /// Segments that are ahead of what is there.
    private var ahead: [(sequence: UInt32, bytes: [UInt8])] = []
    private var aheadBytes = 0
    private let most: Int

    /// The most bytes that wait for what is missing before them.
    private static let mostAhead = 1 << 20

    init(most: Int) {
        self.most = most
    }

    /// The side's first sequence number, from its SYN.
    mutating func synchronise(_ sequence: UInt32, milliseconds: Int64) {
        if next == nil { next = sequence &+ 1 }
        note(milliseconds)
    }

    mutating func add(_ payload: ArraySlice<UInt8>, sequence: UInt32, milliseconds: Int64) {
        guard !payload.isEmpty else { return }
        note(milliseconds)
        if next == nil {
            // The connection was there before the capture.
            next = sequence
            isIncomplete = true
        }
        if !take(payload, sequence), let next, Int32(bitPattern: sequence &- next) > 0 {
            ahead.append((sequence, Array(payload)))
            aheadBytes += payload.count
            if aheadBytes > Self.mostAhead { skipGap() }
        }
        while takeAhead() {}
    }

    /// Ends the stream: what is missing now stays missing.
    mutating func end() {
        while !ahead.isEmpty {
            skipGap()
            while takeAhead() {}
        }
    }

    private mutating func note(_ milliseconds: Int64) {
        firstMilliseconds = firstMilliseconds ?? milliseconds
        lastMilliseconds = max(lastMilliseconds, milliseconds)
    }

    /// Whether the segment follows, or lies in, what is there.
    private mutating func take(_ payload: ArraySlice<UInt8>, _ sequence: UInt32) -> Bool {
        guard let next else { return false }
        // Sequence numbers are compared as in RFC 793: by the sign of their difference, so that they may wrap around.
        let known = Int(Int32(bitPattern: next &- sequence))
        guard known >= 0 else { return false }
        let new = payload.dropFirst(known)
        self.next = next &+ UInt32(new.count)
        let room = max(0, most - bytes.count)
        if new.count > room { isIncomplete = true }
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
