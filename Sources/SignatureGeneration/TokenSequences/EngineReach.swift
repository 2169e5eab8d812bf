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
    /// In bytes: how far into a stream Suricata puts segments together, as it is shipped (`stream.reassembly.depth` in
    /// suricata.yaml). Behind that it looks at each segment by itself.
    public static let streamDepth = 1 << 20
    /// In bytes: the longest match that lies within one segment nine times in ten or more, where segments have 1,400 bytes.
    public static let segmentSpan = 128
}

extension Signature {
    /// In bytes, from the first token to the end of the last: the shortest match. A conjunction's tokens may overlap.
    public var minSpan: Int {
        guard arrangement == .sequence else { return tokens.map(\.bytes.count).max() ?? 0 }
        return tokens.enumerated().reduce(0) { $0 + $1.element.bytes.count + ($1.offset > 0 ? $1.element.gap?.lowerBound ?? 0 : 0) }
    }

    /// Whether a stream holds a match that an engine sees at once: one that is at most twice ``EngineReach/streamSpan`` long,
    /// and certainly every one that is not longer than that. Behind ``EngineReach/streamDepth``, ``EngineReach/segmentSpan``
    /// takes its place.
    ///
    /// - Parameter offset: in bytes: the place in the stream of the first of these bytes, which may be a part of it.
    public func matchesWithinEngineReach(_ stream: [UInt8], isDatagram: Bool, offset: Int = 0) -> Bool {
        if isDatagram { return matches(stream) }
        // A place from the start of the data is that of the stream's first piece.
        guard tokens.first?.gap == nil || arrangement == .conjunction else {
            return offset == 0 && matches(Array(stream.prefix(2 * EngineReach.streamSpan)))
        }
        let depth = EngineReach.streamDepth - offset
        guard stream.count > min(EngineReach.streamSpan, depth) else { return matches(stream) }
        let whole = stream.prefix(max(0, depth))
        return matches(whole, span: EngineReach.streamSpan) || matches(stream[whole.endIndex...], span: EngineReach.segmentSpan)
    }

    /// Whether a match is at most twice the span long; every one that is not longer than the span is found.
    private func matches(_ bytes: ArraySlice<UInt8>, span: Int) -> Bool {
        guard matches(Array(bytes)) else { return false }
        return stride(from: bytes.startIndex, to: bytes.endIndex, by: span).contains { start in
            matches(Array(bytes[start..<min(bytes.endIndex, start + 2 * span)]))
        }
    }
}
