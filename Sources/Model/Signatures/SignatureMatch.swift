// SPDX-License-Identifier: Apache-2.0

extension Signature {
    /// Whether the tokens occur in the data in their arrangement. The context is ignored.
    public func matches(_ data: [UInt8]) -> Bool {
        data.withUnsafeBytes { match(in: $0) != nil }
    }

    /// The range of a match; as ``SignatureMatcher/match(in:)``.
    public func match(in data: UnsafeRawBufferPointer) -> Range<Int>? {
        SignatureMatcher(self).match(in: data)
    }
}

/// A signature, prepared for matching: worth keeping where one is matched against much data.
///
/// Costs one pass over the data for each token, whatever the gaps and however often a token occurs, and beyond that for each
/// byte at most as many comparisons as tokens with masked positions are long (``Signature/maxMaskedTokenBytes``). The memory
/// does not depend on the data: of the places of a token only two are kept.
public struct SignatureMatcher: Sendable {
    private let arrangement: Signature.Arrangement
    private let tokens: [(search: TokenSearch, gap: ClosedRange<Int>?)]

    public init(_ signature: Signature) {
        arrangement = signature.arrangement
        tokens = signature.tokens.map { (TokenSearch($0), $0.gap) }
    }

    /// Whether the data has a match.
    public func matches(_ data: [UInt8]) -> Bool {
        data.withUnsafeBytes { match(in: $0) != nil }
    }

    /// The range of a match, from the first byte of the leftmost token to the end of the rightmost. Of several matches, one
    /// with the earliest end; `nil` if there is none.
    public func match(in data: UnsafeRawBufferPointer) -> Range<Int>? {
        matchCountingSteps(in: data).range
    }

    /// As ``match(in:)``, with what it took: the bytes that were passed, over all tokens, and the comparisons at masked tokens.
    public func matchCountingSteps(in data: UnsafeRawBufferPointer) -> (range: Range<Int>?, steps: Int) {
        var places = tokens.map { TokenPlaces(of: $0.search, in: data) }
        let range =
            switch arrangement {
            case .sequence: SequenceWalk.match(&places, gaps: tokens.map(\.gap))
            case .conjunction: Self.conjunction(&places)
            }
        return (range, places.reduce(0) { $0 + $1.steps })
    }

    private static func conjunction(_ places: inout [TokenPlaces]) -> Range<Int>? {
        var whole: Range<Int>?
        for index in places.indices {
            guard let start = places[index].next() else { return nil }
            let end = start + places[index].length
            whole = whole.map { min($0.lowerBound, start)..<max($0.upperBound, end) } ?? start..<end
        }
        return whole
    }
}

extension Signature.Token {
    /// The offsets at which the token matches, ascending, at most so many.
    public func places(in data: [UInt8], limit: Int) -> [Int] {
        data.withUnsafeBytes { data in
            var places = TokenPlaces(of: TokenSearch(self), in: data)
            var found: [Int] = []
            while found.count < limit, let place = places.next() { found.append(place) }
            return found
        }
    }
}
