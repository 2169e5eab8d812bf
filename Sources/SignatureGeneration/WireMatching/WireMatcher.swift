// SPDX-License-Identifier: Apache-2.0

/// A part of extracted code that crossed the network unchanged.
public struct WireSpan: Hashable, Sendable {
    /// Offsets in the code.
    public var code: Range<Int>
    /// The offset in the stream at which it begins.
    public var streamOffset: Int

    public init(code: Range<Int>, streamOffset: Int) {
        self.code = code
        self.streamOffset = streamOffset
    }
}

/// Finds the parts of a packet's code that crossed the network. One matcher serves any number of streams.
public struct WireMatcher: Sendable {
    /// In bytes: the strings by which positions of the stream are looked up.
    private static let gramLength = 8
    /// How many positions of the code are tried for one position of the stream: fill has the same bytes everywhere.
    private static let maxPlaces = 8

    private let code: [UInt8]
    /// `nil` if the code is shorter than a gram.
    private let grams: GramTable?

    public init(of code: [UInt8]) {
        self.code = code
        grams = code.count >= Self.gramLength ? GramTable(code) : nil
    }

    /// The common runs of code and stream, ascending by their position in the code. Where runs overlap there, the shorter one is
    /// without what the longer one has.
    ///
    /// - Parameter minLength: the shortest run in bytes, at least 8.
    public func spans(in stream: [UInt8], minLength: Int = 12) -> [WireSpan] {
        search(stream, minLength: minLength).spans
    }

    /// As ``spans(in:minLength:)``, with the number of bytes that were looked up or compared.
    ///
    /// Every run of at least 8 bytes contains an 8-byte gram of the code. So the stream is read once, each position is looked
    /// up in a bit filter of the code's grams, and only hits are compared, in both directions. Runs that were found, and runs of
    /// fill, are skipped, and no later run reaches back into them: the work is at most some 100 steps for each byte of the
    /// stream, whatever stream and code are.
    public func search(_ stream: [UInt8], minLength: Int = 12) -> (spans: [WireSpan], work: Int) {
        let minLength = max(Self.gramLength, minLength)
        guard let grams, code.count >= minLength, stream.count >= minLength else { return ([], 0) }
        var found: [WireSpan] = []
        var work = stream.count
        var (place, first) = (0, 0)
        var key = GramTable.key(stream, at: 0)
        while true {
            var next = place + 1
            if grams.mayHold(key) {
                let run = longestRun(in: stream, at: place, from: first, grams.places(of: key).prefix(Self.maxPlaces), &work)
                if let run, run.code.count >= minLength {
                    if !Self.isFill(code[run.code]) { found.append(run) }
                    next = max(next, run.streamOffset + run.code.count - Self.gramLength + 1)
                    first = next
                }
            }
            guard next + Self.gramLength <= stream.count else { break }
            if next == place + 1 {
                key = key << 8 | UInt64(stream[next + Self.gramLength - 1])
            } else {
                key = GramTable.key(stream, at: next)
            }
            place = next
        }
        return (withoutOverlaps(found, minLength: minLength), work)
    }

    /// The longest of the runs around a place of the stream and some of the code.
    ///
    /// - Parameter first: in the stream: no run begins before it.
    private func longestRun(
        in stream: [UInt8], at place: Int, from first: Int, _ starts: ArraySlice<Int>, _ work: inout Int
    ) -> WireSpan? {
        var longest: WireSpan?
        for start in starts {
            let run = Self.run(in: code, from: start, and: stream[first...], from: place)
            work += run.code.count
            if run.code.count > longest?.code.count ?? 0 { longest = run }
        }
        return longest
    }

    /// The longest common run around a position of code and stream.
    private static func run(in code: [UInt8], from start: Int, and stream: ArraySlice<UInt8>, from place: Int) -> WireSpan {
        var (first, offset) = (start, place)
        while first > 0, offset > stream.startIndex, code[first - 1] == stream[offset - 1] { (first, offset) = (first - 1, offset - 1) }
        var (end, streamEnd) = (start, place)
        while end < code.count, streamEnd < stream.endIndex, code[end] == stream[streamEnd] { (end, streamEnd) = (end + 1, streamEnd + 1) }
        return WireSpan(code: first..<end, streamOffset: offset)
    }

    /// Whether a run repeats itself with a period of at most four bytes: padding proves nothing.
    private static func isFill(_ run: ArraySlice<UInt8>) -> Bool {
        (1...4).contains { period in zip(run, run.dropFirst(period)).allSatisfy { $0 == $1 } }
    }

    /// Where spans overlap in the code, the shorter one keeps its longest part that no other has.
    private func withoutOverlaps(_ spans: [WireSpan], minLength: Int) -> [WireSpan] {
        var kept: [WireSpan] = []
        var isCovered = [Bool](repeating: false, count: code.count)
        for span in spans.sorted(by: { ($1.code.count, $0.code.lowerBound) < ($0.code.count, $1.code.lowerBound) }) {
            let part = Self.longestPart(of: span.code, notIn: isCovered)
            guard part.count >= minLength else { continue }
            kept.append(WireSpan(code: part, streamOffset: span.streamOffset + part.lowerBound - span.code.lowerBound))
            for place in part { isCovered[place] = true }
        }
        return kept.sorted { $0.code.lowerBound < $1.code.lowerBound }
    }

    private static func longestPart(of range: Range<Int>, notIn isCovered: [Bool]) -> Range<Int> {
        var longest = range.lowerBound..<range.lowerBound
        var start = range.lowerBound
        for place in range {
            if isCovered[place] {
                start = place + 1
            } else if place + 1 - start > longest.count {
                longest = start..<place + 1
            }
        }
        return longest
    }
}

/// The 8-byte grams of a code, with their positions.
private struct GramTable: Sendable {
    /// The bits of the filter: about eight for each gram of the code.
    private static let filterBits = 16

    private var filter = [UInt64](repeating: 0, count: 1 << (filterBits - 6))
    private var places: [UInt64: [Int]] = [:]

    init(_ code: [UInt8]) {
        var key = Self.key(code, at: 0) >> 8
        for start in 0...code.count - 8 {
            key = key << 8 | UInt64(code[start + 7])
            let bit = Self.bit(key)
            filter[bit >> 6] |= 1 << UInt64(bit & 63)
            places[key, default: []].append(start)
        }
    }

    static func key(_ bytes: [UInt8], at start: Int) -> UInt64 {
        bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }

    func mayHold(_ key: UInt64) -> Bool {
        let bit = Self.bit(key)
        return filter[bit >> 6] >> UInt64(bit & 63) & 1 == 1
    }

    func places(of key: UInt64) -> [Int] { places[key] ?? [] }

    /// Fibonacci hashing (Knuth, The Art of Computer Programming, volume 3, section 6.4).
    private static func bit(_ key: UInt64) -> Int { Int((key &* 0x9e37_79b9_7f4a_7c15) >> UInt64(64 - filterBits)) }
}
