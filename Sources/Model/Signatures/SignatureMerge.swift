// SPDX-License-Identifier: Apache-2.0

extension Signature {
    /// The narrowest signature of the same shape that covers both: positions that differ become masked, gaps and contexts
    /// become wide enough for both.
    ///
    /// `nil` if the shapes differ (arrangement, number or lengths of tokens), or if a token would have no fixed byte left.
    public func merged(with other: Signature) -> Signature? {
        let (own, theirs) = (canonical, other.canonical)
        guard own.arrangement == theirs.arrangement, own.tokens.map(\.bytes.count) == theirs.tokens.map(\.bytes.count) else {
            return nil
        }
        var tokens: [Token] = []
        // The number of positions at the end of the previous token that became masked: its end moved away by that much.
        var left = 0
        for (one, two) in zip(own.tokens, theirs.tokens) {
            let masked = Set(one.masked + two.masked + one.bytes.indices.filter { one.bytes[$0] != two.bytes[$0] })
            guard let first = one.bytes.indices.first(where: { !masked.contains($0) }),
                let last = one.bytes.indices.last(where: { !masked.contains($0) })
            else { return nil }
            var gap: ClosedRange<Int>?
            if let ours = one.gap, let its = two.gap {
                gap = min(ours.lowerBound, its.lowerBound) + left + first...max(ours.upperBound, its.upperBound) + left + first
            }
            tokens.append(Token(bytes: one.bytes, masked: masked, gap: gap))
            left = one.bytes.count - 1 - last
        }
        return Signature(
            tokens: tokens, arrangement: own.arrangement, context: context.merged(with: other.context),
            provenance: provenance
        ).canonical
    }
}
