// SPDX-License-Identifier: Apache-2.0

/// Segments of a side with an acknowledgement of what the other side has not sent yet, as far as the capture shows. Receivers drop
/// such segments; but where the two sides were captured apart, what they acknowledge may come late.
struct DoubtfulSegments {
    struct Waiting {
        var segment: TCPSegment
        var milliseconds: Int64
    }

    /// How many wait, at most, and in bytes.
    private static let (maxCount, maxBytes) = (64, 128 << 10)

    private var waiting: [Waiting] = []
    private(set) var heldBytes = 0

    /// - Returns: those that wait no longer, to keep to the bounds.
    mutating func add(_ segment: TCPSegment, milliseconds: Int64) -> [Waiting] {
        waiting.append(Waiting(segment: segment, milliseconds: milliseconds))
        heldBytes += segment.payload.count
        guard waiting.count > Self.maxCount || heldBytes > Self.maxBytes else { return [] }
        return take { _ in true }
    }

    /// Takes out those that fit, in their order.
    mutating func take(where fits: (TCPSegment) -> Bool) -> [Waiting] {
        guard !waiting.isEmpty else { return [] }
        let taken = waiting.filter { fits($0.segment) }
        waiting.removeAll { fits($0.segment) }
        heldBytes -= taken.reduce(0) { $0 + $1.segment.payload.count }
        return taken
    }
}
