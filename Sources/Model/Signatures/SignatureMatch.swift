// SPDX-License-Identifier: Apache-2.0

extension Signature {
    /// Whether the tokens occur in the data in their arrangement. The context is ignored.
    public func matches(_ data: [UInt8]) -> Bool {
        data.withUnsafeBytes { match(in: $0) != nil }
    }

    /// The range of the match, from the first byte of the leftmost token to the end of the rightmost. Of several matches,
    /// one with the earliest end; `nil` if there is none.
    ///
    /// Each token's occurrences are found in one pass. Two pointers over the occurrences of neighbouring tokens then decide
    /// which can follow which. So the cost is one pass for each token, whatever the gaps.
    public func match(in data: UnsafeRawBufferPointer) -> Range<Int>? {
        switch arrangement {
        case .sequence: sequenceMatch(in: data)
        case .conjunction: conjunctionMatch(in: data)
        }
    }

    private func conjunctionMatch(in data: UnsafeRawBufferPointer) -> Range<Int>? {
        var whole: Range<Int>?
        for token in tokens {
            guard let start = token.occurrences(in: data, from: 0, isFirstEnough: true).first else { return nil }
            let end = start + token.bytes.count
            whole = whole.map { min($0.lowerBound, start)..<max($0.upperBound, end) } ?? start..<end
        }
        return whole
    }

    private func sequenceMatch(in data: UnsafeRawBufferPointer) -> Range<Int>? {
        guard !tokens.isEmpty else { return nil }
        // The ends of partial matches, ascending, each with its start.
        var reached = [(end: 0, start: Int?.none)]
        for (index, token) in tokens.enumerated() {
            // After an open gap the earliest end leaves the most room, so only the first occurrence matters if no later gap
            // is bounded either.
            let isFirstEnough = tokens[index...].dropFirst().allSatisfy { $0.gap == nil }
            let bounds = token.gap ?? 0...Int(UInt32.max)
            let earliest = reached[0].end + bounds.lowerBound
            guard earliest <= data.count else { return nil }
            var next: [(end: Int, start: Int?)] = []
            var pointer = 0
            for place in token.occurrences(in: data, from: earliest, isFirstEnough: isFirstEnough && token.gap == nil) {
                while pointer + 1 < reached.count, reached[pointer + 1].end + bounds.lowerBound <= place { pointer += 1 }
                guard reached[pointer].end + bounds.lowerBound <= place, place - reached[pointer].end <= bounds.upperBound else {
                    continue
                }
                next.append((place + token.bytes.count, reached[pointer].start ?? place))
                if isFirstEnough { break }
            }
            guard !next.isEmpty else { return nil }
            reached = next
        }
        return reached[0].start.map { $0..<reached[0].end }
    }
}

extension Signature.Token {
    /// The offsets at which the token matches, ascending, at most so many.
    public func places(in data: [UInt8], limit: Int) -> [Int] {
        Array(data.withUnsafeBytes { occurrences(in: $0, from: 0, isFirstEnough: false) }.prefix(limit))
    }

    /// The offsets at which the token matches, ascending. Looks for its longest fixed run, then compares the rest.
    func occurrences(in data: UnsafeRawBufferPointer, from earliest: Int, isFirstEnough: Bool) -> [Int] {
        guard !bytes.isEmpty, data.count - earliest >= bytes.count else { return [] }
        guard let anchor = fixedRuns.max(by: { $0.count < $1.count }) else {
            return isFirstEnough ? [earliest] : Array(earliest...data.count - bytes.count)
        }
        let unmasked = bytes.indices.map { !masked.contains($0) }
        var places: [Int] = []
        bytes.withUnsafeBufferPointer { bytes in
            unmasked.withUnsafeBufferPointer { unmasked in
                let first = bytes[anchor.lowerBound]
                let last = bytes[anchor.upperBound - 1]
                let (near, far) = (anchor.lowerBound, anchor.upperBound - 1)
                for start in earliest...data.count - bytes.count where data[start + near] == first && data[start + far] == last {
                    var position = 0
                    while position < bytes.count, !unmasked[position] || data[start + position] == bytes[position] { position += 1 }
                    guard position == bytes.count else { continue }
                    places.append(start)
                    if isFirstEnough { return }
                }
            }
        }
        return places
    }
}
