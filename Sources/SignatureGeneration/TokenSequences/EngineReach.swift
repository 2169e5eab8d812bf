// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// How much of a stream an engine sees at once.
public enum EngineReach {
    /// In bytes, from the first token to the end of the last: the longest match in a TCP stream that an engine is likely to
    /// see at once.
    ///
    /// Suricata looks at a stream in pieces of 2,560 bytes (`toserver-chunk-size`). Inline, a piece reaches back from each
    /// segment; where it only listens, pieces don't overlap, so that of any rule it misses what lies across a border. In
    /// segments of 1,400 bytes Suricata 7.0.10 found all matches of 1,064 bytes inline, 6 of 7 of 1,464 and 3 of 7 of 2,064
    /// (`EngineWindowTests` makes such a table anew).
    public static let streamSpan = 1024
}

extension Signature {
    /// In bytes, from the first token to the end of the last: the shortest match. A conjunction's tokens may overlap.
    public var minSpan: Int {
        guard arrangement == .sequence else { return tokens.map(\.bytes.count).max() ?? 0 }
        return tokens.enumerated().reduce(0) { $0 + $1.element.bytes.count + ($1.offset > 0 ? $1.element.gap?.lowerBound ?? 0 : 0) }
    }

    /// Whether a stream holds a match that an engine sees at once: one that is at most twice ``EngineReach/streamSpan`` long,
    /// and certainly every one that is not longer than that.
    public func matchesWithinEngineReach(_ stream: [UInt8], isDatagram: Bool) -> Bool {
        guard !isDatagram, stream.count > EngineReach.streamSpan else { return matches(stream) }
        // A place from the start of the data is that of the stream's first piece.
        guard tokens.first?.gap == nil || arrangement == .conjunction else {
            return matches(Array(stream.prefix(2 * EngineReach.streamSpan)))
        }
        return stride(from: 0, to: stream.count, by: EngineReach.streamSpan).contains { start in
            matches(Array(stream[start..<min(stream.count, start + 2 * EngineReach.streamSpan)]))
        }
    }
}
