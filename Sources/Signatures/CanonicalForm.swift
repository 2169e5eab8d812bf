extension Signature {
    /// The longest run of masked positions inside one token of a canonical form. Tokens that lie further apart at a
    /// fixed distance stay two.
    static let longestMaskedRun = 64

    /// The one way to write down a signature that matches the same data:
    ///
    /// - no token begins or ends with masked positions: they become part of the gaps beside it;
    /// - in a sequence, tokens at one fixed distance of at most ``longestMaskedRun`` bytes are one masked token;
    /// - masked positions that run on for longer part a token in two;
    /// - the tokens of a conjunction are sorted, without repetition or gaps; a conjunction of one is a sequence.
    ///
    /// A bound that lets data end with so and so many bytes of any value can't be written as a gap, so masked
    /// positions at the very end are dropped: the canonical form then also matches data that ends sooner.
    public var canonical: Signature {
        var result = self
        let parts = tokens.flatMap(\.fixedParts)
        switch arrangement {
        case .conjunction:
            let whole = tokens.map { Signature.joined($0.fixedParts) }.flatMap { $0 }
            let distinct = Set(whole.map { Token(bytes: $0.bytes, masked: $0.masked) })
            result.tokens = distinct.sorted { ($0.bytes.count, $0.pattern) < ($1.bytes.count, $1.pattern) }
            if result.tokens.count == 1 { result.arrangement = .sequence }
        case .sequence:
            result.tokens = Signature.joined(parts)
        }
        return result
    }

    /// Joins parts at fixed distances to masked tokens.
    private static func joined(_ parts: [Token]) -> [Token] {
        var tokens: [Token] = []
        for part in parts {
            if let last = tokens.last, let gap = part.gap, gap.lowerBound == gap.upperBound, gap.lowerBound <= longestMaskedRun {
                let start = last.bytes.count + gap.lowerBound
                tokens[tokens.count - 1] = Token(
                    bytes: last.bytes + [UInt8](repeating: 0, count: gap.lowerBound) + part.bytes,
                    masked: last.masked + Array(last.bytes.count..<start) + part.masked.map { $0 + start }, gap: last.gap)
            } else {
                tokens.append(part)
            }
        }
        // Whatever stands first at "any distance at all" from the start stands anywhere.
        if let first = tokens.first, let gap = first.gap, gap.lowerBound == 0, gap.upperBound >= Int(UInt32.max) { tokens[0].gap = nil }
        return tokens
    }
}

extension Signature.Token {
    /// The fixed runs as tokens of their own, with the gaps that hold them where they are.
    fileprivate var fixedParts: [Signature.Token] {
        let runs = fixedRuns
        return runs.enumerated().map { index, run in
            let gap: ClosedRange<Int>?
            if index > 0 {
                let distance = run.lowerBound - runs[index - 1].upperBound
                gap = distance...distance
            } else if run.lowerBound == 0 {
                gap = self.gap
            } else {
                // Masked positions at the beginning still take their room.
                let bounds = self.gap ?? 0...Int(UInt32.max)
                gap = bounds.lowerBound + run.lowerBound...bounds.upperBound + run.lowerBound
            }
            return Signature.Token(bytes: Array(bytes[run]), gap: gap)
        }
    }
}
