// SPDX-License-Identifier: Apache-2.0

/// A cache of which streams of a benign pool contain which tokens.
struct TokenPresence {
    /// A set of streams, as a bit map.
    struct Streams {
        var words: [UInt64]

        var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
        var indices: [Int] {
            words.indices.flatMap { word in (0..<64).filter { words[word] >> UInt64($0) & 1 == 1 }.map { word << 6 | $0 } }
        }

        func intersection(_ other: Streams) -> Streams {
            Streams(words: zip(words, other.words).map { $0 & $1 })
        }
    }

    let pool: BenignPool
    private var found: [[UInt8]: Streams] = [:]

    init(_ pool: BenignPool) {
        self.pool = pool
    }

    /// For each token, of at least two bytes, the streams that contain it.
    mutating func streams(holding tokens: [[UInt8]]) -> [Streams] {
        let unknown = Array(Set(tokens.filter { found[$0] == nil }))
        for first in stride(from: 0, to: unknown.count, by: TokenScanner.maxTokens) {
            seek(unknown[first...].prefix(TokenScanner.maxTokens))
        }
        return tokens.map { found[$0] ?? Streams(words: []) }
    }

    private mutating func seek(_ tokens: ArraySlice<[UInt8]>) {
        let scanner = TokenScanner(tokens)
        var sets = tokens.map { _ in [UInt64](repeating: 0, count: (pool.streams.count + 63) / 64) }
        for (index, stream) in pool.streams.enumerated() {
            scanner.scan(stream) { token, _ in
                sets[token][index >> 6] |= 1 << UInt64(index & 63)
                return false
            }
        }
        for (token, set) in zip(tokens, sets) { found[token] = Streams(words: set) }
    }
}
