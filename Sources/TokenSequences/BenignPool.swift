public import Signatures

/// Streams of the network that are held benign: what a signature must not match, and against which the rarity of
/// tokens is counted.
public struct BenignPool: Sendable {
    public var streams: [[UInt8]]

    public init(streams: [[UInt8]]) {
        self.streams = streams
    }

    /// How many of the streams a signature matches.
    public func matches(of signature: Signature) -> Int {
        streams.count { signature.matches($0) }
    }

    /// The most tokens that ``presence(of:)`` takes.
    static let mostTokens = 64

    /// For each stream, which of the tokens it holds: bit by bit. One pass over the streams, in which each place is
    /// looked up by its two bytes.
    ///
    /// - Parameter tokens: at most ``mostTokens``, each of at least two bytes.
    func presence(of tokens: [[UInt8]]) -> [UInt64] {
        guard !tokens.isEmpty else { return Array(repeating: 0, count: streams.count) }
        // Tokens by their first two bytes, as a bit mask.
        var beginning = [UInt64](repeating: 0, count: 1 << 16)
        for (index, token) in tokens.enumerated() { beginning[Int(token[0]) << 8 | Int(token[1])] |= 1 << UInt64(index) }
        return streams.map { stream in
            var held: UInt64 = 0
            stream.withUnsafeBufferPointer { stream in
                guard stream.count >= 2 else { return }
                var pair = Int(stream[0])
                for place in 1..<stream.count {
                    pair = (pair << 8 | Int(stream[place])) & 0xffff
                    var possible = beginning[pair] & ~held
                    while possible != 0 {
                        let index = possible.trailingZeroBitCount
                        possible &= possible - 1
                        if Self.holds(tokens[index], stream, at: place - 1) { held |= 1 << UInt64(index) }
                    }
                }
            }
            return held
        }
    }

    private static func holds(_ token: [UInt8], _ stream: UnsafeBufferPointer<UInt8>, at place: Int) -> Bool {
        guard place + token.count <= stream.count else { return false }
        var offset = 2
        while offset < token.count, stream[place + offset] == token[offset] { offset += 1 }
        return offset >= token.count
    }
}
