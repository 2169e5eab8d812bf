// SPDX-License-Identifier: Apache-2.0

/// The positions of tokens in samples.
struct Occurrences {
    /// By token, then by sample: the starts, ascending.
    private var starts: [[[Int]]]
    private let lengths: [Int]

    /// - Parameter tokens: each of at least two bytes.
    init(of tokens: [[UInt8]], in samples: [[UInt8]]) {
        lengths = tokens.map(\.count)
        var starts = tokens.map { _ in samples.map { _ in [Int]() } }
        for first in stride(from: 0, to: tokens.count, by: TokenScanner.maxTokens) {
            let scanner = TokenScanner(tokens[first...].prefix(TokenScanner.maxTokens))
            for (index, sample) in samples.enumerated() {
                scanner.scan(sample) { token, place in
                    starts[first + token][index].append(place)
                    return true
                }
            }
        }
        self.starts = starts
    }

    /// The earliest positions of tokens in this order in a sample; `nil` if they don't all follow.
    func layout(of tokens: [Int], in sample: Int) -> [Int]? {
        var layout: [Int] = []
        var end = 0
        for token in tokens {
            let places = starts[token][sample]
            var (low, high) = (0, places.count)
            while low < high {
                let middle = (low + high) / 2
                if places[middle] < end { low = middle + 1 } else { high = middle }
            }
            guard low < places.count else { return nil }
            layout.append(places[low])
            end = places[low] + lengths[token]
        }
        return layout
    }
}
