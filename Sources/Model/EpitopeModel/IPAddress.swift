// SPDX-License-Identifier: Apache-2.0

/// An IPv4 or IPv6 address, between its bytes and its usual text: dotted decimal, or RFC 5952.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// 4 or 16 bytes in network byte order.
    public let bytes: [UInt8]

    /// `nil` for any other number of bytes than 4 or 16.
    public init?(bytes: some Sequence<UInt8>) {
        self.bytes = Array(bytes)
        guard self.bytes.count == 4 || self.bytes.count == 16 else { return nil }
    }

    /// Reads what `inet_pton` reads: dotted decimal without leading zeros, or IPv6 with `::` and a dotted end allowed. `nil`
    /// for anything else, such as a zone or brackets.
    public init?(_ text: some StringProtocol) {
        guard let bytes = text.contains(":") ? Self.bytes(ofIPv6: text) : Self.bytes(ofIPv4: text) else { return nil }
        self.bytes = bytes
    }

    /// The IPv4 address that an IPv6 address stands for (`::ffff:0:0/96`, RFC 4291, 2.5.5.2); the address itself where it
    /// stands for none.
    public var unmapped: IPAddress {
        guard isMapped, let address = IPAddress(bytes: bytes.suffix(4)) else { return self }
        return address
    }

    public var description: String {
        if bytes.count == 4 { return Self.dotted(bytes[...]) }
        if isMapped { return "::ffff:" + Self.dotted(bytes.suffix(4)) }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        let zeros = Self.longestRunOfZeros(in: groups)
        // One zero group is written, not left out (RFC 5952, 4.2.2).
        if zeros.count < 2 { return Self.text(groups[...]) }
        return Self.text(groups[..<zeros.lowerBound]) + "::" + Self.text(groups[zeros.upperBound...])
    }

    private var isMapped: Bool { bytes.count == 16 && bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF }

    private static func dotted(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.map { String($0) }.joined(separator: ".")
    }

    private static func text(_ groups: ArraySlice<UInt16>) -> String {
        groups.map { String($0, radix: 16) }.joined(separator: ":")
    }

    /// The first of the longest.
    private static func longestRunOfZeros(in groups: [UInt16]) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start > longest.count { longest = start..<end }
            start = max(end, start + 1)
        }
        return longest
    }

    private static func bytes(ofIPv4 text: some StringProtocol) -> [UInt8]? {
        var (bytes, value, digits): ([UInt8], Int, Int) = ([], 0, 0)
        for character in text.utf8 {
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                // No leading zeros.
                guard digits == 0 || value > 0 else { return nil }
                (value, digits) = (value * 10 + Int(character - UInt8(ascii: "0")), digits + 1)
                guard value <= UInt8.max else { return nil }
            case UInt8(ascii: "."):
                guard digits > 0, bytes.count < 3 else { return nil }
                bytes.append(UInt8(value))
                (value, digits) = (0, 0)
            default: return nil
            }
        }
        guard digits > 0, bytes.count == 3 else { return nil }
        return bytes + [UInt8(value)]
    }

    private static func bytes(ofIPv6 text: some StringProtocol) -> [UInt8]? {
        guard let gap = text.firstRange(of: "::") else {
            let bytes = bytes(ofGroups: text, mayEndDotted: true)
            return bytes?.count == 16 ? bytes : nil
        }
        guard let head = bytes(ofGroups: text[..<gap.lowerBound], mayEndDotted: false),
            let tail = bytes(ofGroups: text[gap.upperBound...], mayEndDotted: true), head.count + tail.count <= 14
        else { return nil }
        return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
    }

    private static func bytes(ofGroups text: some StringProtocol, mayEndDotted: Bool) -> [UInt8]? {
        if text.isEmpty { return [] }
        var bytes: [UInt8] = []
        let groups = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, group) in groups.enumerated() {
            if mayEndDotted, index == groups.count - 1, group.contains(".") {
                guard let dotted = Self.bytes(ofIPv4: group) else { return nil }
                bytes += dotted
            } else {
                guard (1...4).contains(group.utf8.count), group.allSatisfy({ $0.isASCII && $0.isHexDigit }),
                    let value = UInt16(group, radix: 16)
                else { return nil }
                bytes += [UInt8(value >> 8), UInt8(value & 0xFF)]
            }
        }
        return bytes
    }
}

/// As its text.
extension IPAddress: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let address = IPAddress(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "it is not an IP address")
        }
        self = address
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
