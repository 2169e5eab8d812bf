// SPDX-License-Identifier: Apache-2.0

/// Searches for many tokens in one pass: each position is looked up by its two bytes.
struct TokenScanner {
    /// The most tokens of one scanner: one bit for each.
    static let maxTokens = 64

    private let tokens: [[UInt8]]
    /// For each two bytes, a bit map of the tokens that begin with them.
    private var beginning: [UInt64]

    /// - Parameter tokens: at most ``maxTokens``, each of at least two bytes.
    init(_ tokens: some Collection<[UInt8]>) {
        precondition(tokens.count <= Self.maxTokens && tokens.allSatisfy { $0.count >= 2 })
        self.tokens = Array(tokens)
        beginning = [UInt64](repeating: 0, count: tokens.isEmpty ? 0 : 1 << 16)
        for (index, token) in self.tokens.enumerated() { beginning[Int(token[0]) << 8 | Int(token[1])] |= 1 << UInt64(index) }
    }

    /// Calls `found` with each token, by index, and each of its positions in the text, ascending.
    ///
    /// - Parameter found: returns whether further positions of the token are needed.
    func scan(_ text: [UInt8], found: (_ token: Int, _ place: Int) -> Bool) {
        guard !tokens.isEmpty, text.count >= 2 else { return }
        var wanted: UInt64 = tokens.count == 64 ? .max : (1 << UInt64(tokens.count)) - 1
        text.withUnsafeBufferPointer { text in
            beginning.withUnsafeBufferPointer { beginning in
                var pair = Int(text[0])
                for place in 1..<text.count {
                    pair = (pair << 8 | Int(text[place])) & 0xffff
                    var possible = beginning[pair] & wanted
                    while possible != 0 {
                        let index = possible.trailingZeroBitCount
                        possible &= possible - 1
                        if Self.holds(tokens[index], text, at: place - 1), !found(index, place - 1) { wanted &= ~(1 << UInt64(index)) }
                    }
                }
            }
        }
    }

    private static func holds(_ token: [UInt8], _ text: UnsafeBufferPointer<UInt8>, at place: Int) -> Bool {
        guard place + token.count <= text.count else { return false }
        var offset = 2
        while offset < token.count, text[place + offset] == token[offset] { offset += 1 }
        return offset >= token.count
    }
}
