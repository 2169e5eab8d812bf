extension Signature {
    /// The narrowest signature of the same shape that covers both: positions in which they differ become masked, gaps
    /// and contexts become as wide as both need.
    ///
    /// `nil` where the shapes differ (arrangement, number or lengths of tokens), or where nothing fixed would be left
    /// of a token.
    public func merged(with other: Signature) -> Signature? {
        let (own, theirs) = (canonical, other.canonical)
        guard own.arrangement == theirs.arrangement, own.tokens.map(\.bytes.count) == theirs.tokens.map(\.bytes.count) else {
            return nil
        }
        let tokens = zip(own.tokens, theirs.tokens).map { one, two in
            let differing = one.bytes.indices.filter { one.bytes[$0] != two.bytes[$0] }
            var gap: ClosedRange<Int>?
            if let first = one.gap, let second = two.gap {
                gap = min(first.lowerBound, second.lowerBound)...max(first.upperBound, second.upperBound)
            }
            return Token(bytes: one.bytes, masked: one.masked + two.masked + differing, gap: gap)
        }
        guard tokens.allSatisfy({ $0.masked.count < $0.bytes.count }) else { return nil }
        return Signature(
            tokens: tokens, arrangement: own.arrangement, context: context.merged(with: other.context),
            provenance: provenance
        ).canonical
    }
}
