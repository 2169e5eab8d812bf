// SPDX-License-Identifier: Apache-2.0

extension Signature {
    /// The longest run of masked positions inside one token of a canonical form. Tokens at a larger fixed distance stay
    /// separate.
    static let maxMaskedRun = 64

    /// The normal form of all signatures that match the same data:
    ///
    /// - in a sequence, tokens at one fixed distance of at most `maxMaskedRun` bytes are one masked token;
    /// - a longer run of masked positions splits a token in two;
    /// - the tokens of a conjunction are sorted, without repetition or gaps; a conjunction of one is a sequence.
    public var canonical: Signature {
        var result = self
        switch arrangement {
        case .conjunction:
            let distinct = Set(tokens.map { Token(bytes: $0.bytes, masked: $0.masked) })
            result.tokens = distinct.sorted { ($0.bytes.count, $0.pattern) < ($1.bytes.count, $1.pattern) }
            if result.tokens.count == 1 { result.arrangement = .sequence }
        case .sequence:
            result.tokens = Signature.joined(tokens.flatMap(\.fixedParts))
        }
        return result
    }

    /// Joins parts at fixed distances into masked tokens.
    private static func joined(_ parts: [Token]) -> [Token] {
        var tokens: [Token] = []
        for part in parts {
            if let last = tokens.last, let gap = part.gap, gap.lowerBound == gap.upperBound, gap.lowerBound <= maxMaskedRun {
                let start = last.bytes.count + gap.lowerBound
                tokens[tokens.count - 1] = Token(
                    bytes: last.bytes + [UInt8](repeating: 0, count: gap.lowerBound) + part.bytes,
                    masked: last.masked + Array(last.bytes.count..<start) + part.masked.map { $0 + start }, gap: last.gap)
            } else {
                tokens.append(part)
            }
        }
        // A first token at any distance from the start may be anywhere.
        if let first = tokens.first, let gap = first.gap, gap.lowerBound == 0, gap.upperBound >= Int(UInt32.max) { tokens[0].gap = nil }
        return tokens
    }
}

extension Signature.Token {
    /// Each fixed run as a token, with gaps that keep their distances.
    fileprivate var fixedParts: [Signature.Token] {
        let runs = fixedRuns
        return runs.enumerated().map { index, run in
            guard index > 0 else { return Signature.Token(bytes: Array(bytes[run]), gap: gap) }
            let distance = run.lowerBound - runs[index - 1].upperBound
            return Signature.Token(bytes: Array(bytes[run]), gap: distance...distance)
        }
    }
}
