// SPDX-License-Identifier: Apache-2.0

import Signatures

/// Searches for many tokens in one pass: each position is looked up by its two bytes, in a table that is small enough to be made for a
/// few tokens and short texts, too.
///
/// Costs a step for each byte, and for each token at most ``comparisonsPerByte`` comparisons and one more pass: a token that
/// begins like much of the text, as one of fill does, is sought by itself.
struct TokenScanner {
    /// The most tokens of one scanner: one bit for each.
    static let maxTokens = 64
    /// How many bytes of a token are compared for each byte of the text before it is sought by itself.
    static let comparisonsPerByte = 4

    private let tokens: [[UInt8]]
    /// In bits.
    private static let tableSize = 12

    /// For each place of the table, a bit map of the tokens whose first two bytes have it. Others may have it, too.
    private var beginning: [UInt64]

    /// - Parameter tokens: at most ``maxTokens``, each of at least two bytes.
    init(_ tokens: some Collection<[UInt8]>) {
        precondition(tokens.count <= Self.maxTokens && tokens.allSatisfy { $0.count >= 2 })
        self.tokens = Array(tokens)
        beginning = [UInt64](repeating: 0, count: tokens.isEmpty ? 0 : 1 << Self.tableSize)
        for (index, token) in self.tokens.enumerated() {
            beginning[Self.place(Int(token[0]) << 8 | Int(token[1]))] |= 1 << UInt64(index)
        }
    }

    /// Calls `found` with each token, by index, and each of its positions in the text, for each token ascending.
    ///
    /// - Parameter found: returns whether further positions of the token are needed.
    /// - Returns: the comparisons beyond a pass over the text.
    @discardableResult
    func scan(_ text: [UInt8], found: (_ token: Int, _ place: Int) -> Bool) -> Int {
        guard !tokens.isEmpty, text.count >= 2 else { return 0 }
        var wanted: UInt64 = tokens.count == 64 ? .max : (1 << UInt64(tokens.count)) - 1
        var compared = [Int](repeating: 0, count: tokens.count)
        var alone: [(token: Int, from: Int)] = []
        text.withUnsafeBufferPointer { text in
            beginning.withUnsafeBufferPointer { beginning in
                var pair = Int(text[0])
                for place in 1..<text.count {
                    pair = (pair << 8 | Int(text[place])) & 0xffff
                    var possible = beginning[Self.place(pair)] & wanted
                    while possible != 0 {
                        let index = possible.trailingZeroBitCount
                        possible &= possible - 1
                        if compared[index] > Self.comparisonsPerByte * text.count {
                            wanted &= ~(1 << UInt64(index))
                            alone.append((index, place - 1))
                        } else if Self.holds(tokens[index], text, at: place - 1, &compared[index]), !found(index, place - 1) {
                            wanted &= ~(1 << UInt64(index))
                        }
                    }
                }
            }
        }
        for (token, place) in alone { compared[token] += seek(token, in: text, from: place, found) }
        return compared.reduce(0, +)
    }

    /// - Returns: the bytes that were passed.
    private func seek(_ token: Int, in text: [UInt8], from start: Int, _ found: (Int, Int) -> Bool) -> Int {
        text.withUnsafeBytes { text in
            var places = RunPlaces(of: RunSearch(tokens[token]), in: text)
            places.skip(to: start)
            while let place = places.next(), found(token, place) {}
            return places.passed
        }
    }

    private static func holds(_ token: [UInt8], _ text: UnsafeBufferPointer<UInt8>, at place: Int, _ compared: inout Int) -> Bool {
        guard place + token.count <= text.count else { return false }
        guard text[place] == token[0], text[place + 1] == token[1] else {
            compared += 1
            return false
        }
        var offset = 2
        while offset < token.count, text[place + offset] == token[offset] { offset += 1 }
        compared += offset - 2
        return offset >= token.count
    }

    private static func place(_ pair: Int) -> Int { WordHash.place(UInt64(pair), bits: tableSize) }
}
