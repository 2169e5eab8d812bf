// SPDX-License-Identifier: Apache-2.0

extension Signature {
    /// Whether this signature certainly matches all data that the other one matches, in all traffic of the other one.
    ///
    /// `true` is certain. `false` may be wrong: only placing this signature's tokens onto the other's fixed positions is
    /// tried, and two signatures can match the same data in other ways.
    public func covers(_ other: Signature) -> Bool {
        guard context.covers(other.context) else { return false }
        let (own, theirs) = (canonical, other.canonical)
        guard !own.tokens.isEmpty, !theirs.tokens.isEmpty else { return false }
        let places = own.tokens.map { token in
            theirs.tokens.indices.flatMap { index in token.places(in: theirs.tokens[index]).map { (token: index, offset: $0) } }
        }
        if own.arrangement == .conjunction || own.tokens.count == 1 && own.tokens[0].gap == nil {
            return places.allSatisfy { !$0.isEmpty }
        }
        guard theirs.arrangement == .sequence else { return false }
        return Self.layout(of: own.tokens, at: places, onto: theirs.tokens)
    }

    /// Whether the tokens can be placed so that they keep their order and gaps, whatever bytes are in the other's gaps.
    private static func layout(of own: [Token], at places: [[(token: Int, offset: Int)]], onto theirs: [Token]) -> Bool {
        // The possible places of the previous token, from which the next is tried.
        var reachable: [(token: Int, offset: Int)] = []
        for (index, token) in own.enumerated() {
            let fitting = places[index].filter { place in
                if index == 0 {
                    return token.gap.map { distance(from: nil, to: place, in: theirs).map($0.contains) ?? false } ?? true
                }
                return reachable.contains { before in
                    let end = (token: before.token, offset: before.offset + own[index - 1].bytes.count)
                    guard let distance = distance(from: end, to: place, in: theirs) else {
                        return token.gap == nil && before.token < place.token
                    }
                    return (token.gap ?? 0...Int(UInt32.max)).contains(distance)
                }
            }
            guard !fitting.isEmpty else { return false }
            reachable = fitting
        }
        return true
    }

    /// The bounds on the number of bytes between two positions; `nil` if there is no upper bound.
    private static func distance(
        from start: (token: Int, offset: Int)?, to place: (token: Int, offset: Int), in tokens: [Token]
    ) -> ClosedRange<Int>? {
        if let start, start.token == place.token {
            let exact = place.offset - start.offset
            return exact...exact
        }
        guard start.map({ $0.token < place.token }) ?? true else { return nil }
        var (least, most) = (place.offset, place.offset)
        if let start {
            least += tokens[start.token].bytes.count - start.offset
            most += tokens[start.token].bytes.count - start.offset
        }
        let first = start.map { $0.token + 1 } ?? 0
        for index in first...place.token {
            guard let gap = tokens[index].gap else { return nil }
            least += gap.lowerBound
            most += gap.upperBound
            if index < place.token {
                least += tokens[index].bytes.count
                most += tokens[index].bytes.count
            }
        }
        return least...most
    }
}

extension ClosedRange where Bound == Int {
    fileprivate func contains(_ other: ClosedRange<Int>) -> Bool {
        lowerBound <= other.lowerBound && other.upperBound <= upperBound
    }
}

extension Signature.Token {
    /// The offsets at which this token's fixed positions fall on equal fixed positions of another token.
    fileprivate func places(in other: Signature.Token) -> [Int] {
        guard bytes.count <= other.bytes.count else { return [] }
        let (own, theirs) = (Set(masked), Set(other.masked))
        return (0...other.bytes.count - bytes.count).filter { offset in
            bytes.indices.allSatisfy {
                own.contains($0) || !theirs.contains($0 + offset) && other.bytes[$0 + offset] == bytes[$0]
            }
        }
    }
}
