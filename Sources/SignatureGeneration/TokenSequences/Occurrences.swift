// SPDX-License-Identifier: Apache-2.0

/// The positions of tokens in samples.
struct Occurrences {
    /// By token, then by sample.
    private var starts: [[Places]]
    private let lengths: [Int]

    /// - Parameter tokens: each of at least two bytes.
    init(of tokens: [[UInt8]], in samples: [[UInt8]]) {
        lengths = tokens.map(\.count)
        var starts = tokens.map { _ in samples.map { Places(below: $0.count) } }
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
            guard let place = starts[token][sample].first(from: end) else { return nil }
            layout.append(place)
            end = place + lengths[token]
        }
        return layout
    }
}

/// Ascending places in a text: listed, or where there are many, as in fill, one bit for each place of the text. So they take at most
/// a quarter of its bytes.
struct Places {
    private let limit: Int
    private var listed: [Int32] = []
    private var bits: [UInt64] = []

    /// - Parameter limit: above all places, at most 2^31.
    init(below limit: Int) {
        self.limit = limit
    }

    /// - Parameter place: behind those that are there.
    mutating func append(_ place: Int) {
        guard bits.isEmpty else {
            bits[place >> 6] |= 1 << UInt64(place & 63)
            return
        }
        listed.append(Int32(place))
        guard listed.count > max(8, limit / 32) else { return }
        bits = [UInt64](repeating: 0, count: (limit + 63) / 64)
        for place in listed { bits[Int(place) >> 6] |= 1 << UInt64(place & 63) }
        listed = []
    }

    /// The first place that is not below this one.
    func first(from least: Int) -> Int? {
        guard !bits.isEmpty else {
            var (low, high) = (0, listed.count)
            while low < high {
                let middle = (low + high) / 2
                if listed[middle] < least { low = middle + 1 } else { high = middle }
            }
            return low < listed.count ? Int(listed[low]) : nil
        }
        var word = least >> 6
        guard word < bits.count else { return nil }
        var left = bits[word] & (UInt64.max << UInt64(least & 63))
        while left == 0 {
            word += 1
            guard word < bits.count else { return nil }
            left = bits[word]
        }
        return word << 6 | left.trailingZeroBitCount
    }
}
