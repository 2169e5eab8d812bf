// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension Signature {
    /// A run of bytes in which some positions may have any value, and its distance from the previous token (or the start
    /// of the data).
    public struct Token: Hashable, Sendable {
        /// One byte for each position; 0 at masked positions.
        public private(set) var bytes: [UInt8]
        /// The positions that may have any value, ascending, each below `bytes.count`.
        public private(set) var masked: [Int]
        /// Bounds on the number of bytes between the end of the previous token and this one; `nil` for any number.
        public var gap: ClosedRange<Int>?

        /// A token begins and ends with fixed bytes: masked positions at its ends match anything, and are removed. If every
        /// position is masked, the token is empty.
        ///
        /// - Parameter masked: in any order; positions outside of the bytes are ignored.
        public init(bytes: [UInt8], masked: some Sequence<Int>, gap: ClosedRange<Int>? = nil) {
            let masked = Set(masked)
            let first = bytes.indices.first { !masked.contains($0) } ?? bytes.endIndex
            let end = (bytes.indices.last { !masked.contains($0) } ?? first - 1) + 1
            self.bytes = Array(bytes[first..<end])
            self.masked = masked.filter((first..<end).contains).map { $0 - first }.sorted()
            self.gap = gap
            for position in self.masked { self.bytes[position] = 0 }
        }

        public init(bytes: [UInt8], gap: ClosedRange<Int>? = nil) {
            self.bytes = bytes
            masked = []
            self.gap = gap
        }

        /// The maximal runs of fixed positions, in order.
        public var fixedRuns: [Range<Int>] {
            var runs: [Range<Int>] = []
            var start = 0
            for position in masked {
                if position > start { runs.append(start..<position) }
                start = position + 1
            }
            if start < bytes.count { runs.append(start..<bytes.count) }
            return runs
        }

        /// Hexadecimal digits, `??` at a masked position: `31c0??68`.
        public var pattern: String {
            var text = ""
            var next = masked[...]
            for (position, byte) in bytes.enumerated() {
                if next.first == position {
                    next.removeFirst()
                    text += "??"
                } else {
                    text += Hex.encode([byte])
                }
            }
            return text
        }

        /// Parses a ``pattern``. White space between positions is ignored. `nil` if it is malformed.
        public init?(pattern: some StringProtocol, gap: ClosedRange<Int>? = nil) {
            let digits = Array(pattern.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\n") })
            guard digits.count % 2 == 0 else { return nil }
            var bytes: [UInt8] = []
            var masked: [Int] = []
            for index in stride(from: 0, to: digits.count, by: 2) {
                let pair = String(decoding: digits[index...index + 1], as: UTF8.self)
                if pair == "??" {
                    masked.append(bytes.count)
                    bytes.append(0)
                } else if let byte = Hex.decode(pair)?.first {
                    bytes.append(byte)
                } else {
                    return nil
                }
            }
            self.init(bytes: bytes, masked: masked, gap: gap)
        }
    }
}

/// As JSON: `{"pattern": "31c0??68", "gap": [0, 4]}`.
extension Signature.Token: Codable {
    private enum CodingKeys: String, CodingKey {
        case pattern, gap
    }

    /// - Throws: `DecodingError`, also for a token without a fixed byte, and for an impossible gap: a bound below 0 or
    ///   beyond 32 bits.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let pattern = try values.decode(String.self, forKey: .pattern)
        let gap = try values.decodeIfPresent(ClosedRange<Int>.self, forKey: .gap)
        guard let token = Self(pattern: pattern, gap: gap), !token.bytes.isEmpty else {
            throw DecodingError.dataCorruptedError(
                forKey: .pattern, in: values,
                debugDescription: "'\(pattern.prefix(80))' is not pairs of hexadecimal digits or ??, one of them fixed")
        }
        if let gap, gap.lowerBound < 0 || gap.upperBound > Int(UInt32.max) {
            throw DecodingError.dataCorruptedError(
                forKey: .gap, in: values,
                debugDescription: "a gap of \(gap.lowerBound) to \(gap.upperBound) bytes is impossible")
        }
        self = token
    }

    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(pattern, forKey: .pattern)
        try values.encodeIfPresent(gap, forKey: .gap)
    }
}
