// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Reads the patterns of rules from left to right. Every method leaves the position where it was if the text doesn't match.
struct PatternScanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: some StringProtocol) {
        bytes = Array(text.utf8)
    }

    var isAtEnd: Bool { position == bytes.count }

    mutating func take(_ text: String) -> Bool {
        guard bytes[position...].starts(with: text.utf8) else { return false }
        position += text.utf8.count
        return true
    }

    /// A number without a sign and without leading zeros, at most ``RenderedRun/endless``.
    mutating func number() -> Int? {
        var end = position
        while end < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[end]) { end += 1 }
        let digits = bytes[position..<end]
        guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1,
            let value = Int(String(decoding: digits, as: UTF8.self)), value <= RenderedRun.endless
        else { return nil }
        position = end
        return value
    }

    /// Pairs of hexadecimal digits, at least one.
    mutating func hexadecimal() -> [UInt8]? {
        var run: [UInt8] = []
        while let byte = byte() { run.append(byte) }
        return run.isEmpty ? nil : run
    }

    /// One pair of hexadecimal digits.
    mutating func byte() -> UInt8? {
        guard position + 2 <= bytes.count,
            let byte = Hex.decode(String(decoding: bytes[position..<position + 2], as: UTF8.self))?.first
        else { return nil }
        position += 2
        return byte
    }

    /// Everything up to a text, which is taken, too.
    mutating func upTo(_ end: String) -> String? {
        let end = Array(end.utf8)
        var place = position
        while place + end.count <= bytes.count {
            if bytes[place..<place + end.count].elementsEqual(end) {
                defer { position = place + end.count }
                return String(decoding: bytes[position..<place], as: UTF8.self)
            }
            place += 1
        }
        return nil
    }

    /// A gap: `3`, `2-5`, or `2-` without an upper bound; no lower bound either is `nil` inside of the result.
    mutating func gap(separator: String) -> Gap? {
        let start = position
        guard let low = number() else { return nil }
        guard take(separator) else { return Gap(bounds: low...low) }
        if let high = number() {
            if low <= high { return Gap(bounds: low...high) }
            position = start
            return nil
        }
        return Gap(bounds: low == 0 ? nil : low...RenderedRun.endless)
    }

    /// The bounds on the bytes between two tokens.
    struct Gap {
        /// `nil` for any number.
        var bounds: ClosedRange<Int>?
    }
}
