/// Where tokens lie in samples: found once, asked often.
struct Occurrences {
    /// By token, then by sample: the starts, ascending.
    private let starts: [[[Int]]]
    private let lengths: [Int]

    init(of tokens: [[UInt8]], in samples: [[UInt8]]) {
        lengths = tokens.map(\.count)
        starts = tokens.map { token in samples.map { Self.places(of: token, in: $0) } }
    }

    static func places(of token: [UInt8], in sample: [UInt8]) -> [Int] {
        guard let first = token.first, let last = token.last, sample.count >= token.count else { return [] }
        var places: [Int] = []
        sample.withUnsafeBufferPointer { sample in
            token.withUnsafeBufferPointer { token in
                for start in 0...sample.count - token.count where sample[start] == first && sample[start + token.count - 1] == last {
                    var offset = 1
                    while offset < token.count, sample[start + offset] == token[offset] { offset += 1 }
                    if offset >= token.count { places.append(start) }
                }
            }
        }
        return places
    }

    /// The earliest places of tokens one after the other in a sample; `nil` where they don't all follow.
    func layout(of tokens: [Int], in sample: Int) -> [Int]? {
        var layout: [Int] = []
        var end = 0
        for token in tokens {
            guard let place = starts[token][sample].first(where: { $0 >= end }) else { return nil }
            layout.append(place)
            end = place + lengths[token]
        }
        return layout
    }
}
