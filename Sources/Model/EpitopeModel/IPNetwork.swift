// SPDX-License-Identifier: Apache-2.0

/// The addresses that have their first bits in common, as RFC 4632 and RFC 4291 (2.3) write them: `192.0.2.0/24`, `2001:db8::/32`.
public struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    /// The lowest of them: all bits behind the common ones are 0.
    public let address: IPAddress
    /// How many bits they have in common: 0 to 32 (IPv4), 0 to 128 (IPv6).
    public let length: Int

    /// The network of an address. An IPv4 address that is written as an IPv6 one stays what it is written as: see
    /// ``IPAddress/unmapped``.
    ///
    /// - Returns: `nil` where the length is not one of an address of that kind.
    public init?(of address: IPAddress, length: Int) {
        guard (0...address.bytes.count * 8).contains(length) else { return nil }
        let kept = address.bytes.enumerated().map { index, byte in
            let bits = min(8, max(0, length - index * 8))
            return byte & ~UInt8(truncatingIfNeeded: 0xFF >> bits)
        }
        self.address = IPAddress(bytes: kept) ?? address
        self.length = length
    }

    /// Reads an address, a slash and a length. Bits behind the common ones are ignored.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let address = IPAddress(parts[0]), let length = Int(parts[1])
        else { return nil }
        // `::ffff:192.0.2.0/120` is 192.0.2.0/24: addresses are compared as what they stand for.
        let unmapped = address.unmapped
        let isMapped = unmapped != address && length >= 96
        self.init(of: isMapped ? unmapped : address, length: isMapped ? length - 96 : length)
    }

    /// Whether an address of the same kind lies in it.
    public func contains(_ address: IPAddress) -> Bool {
        IPNetwork(of: address, length: length)?.address == self.address
    }

    public var description: String { "\(address)/\(length)" }
}

extension IPNetwork {
    /// What counts as one machine: an IPv4 address, or the /64 of an IPv6 address, of which a machine may take any number (RFC 4862).
    /// Machines behind one translated address are one.
    public static func machine(of address: IPAddress) -> IPNetwork {
        let address = address.unmapped
        return IPNetwork(of: address, length: address.bytes.count == 4 ? 32 : 64)!
    }

    /// What counts as one site: the /24 (IPv4) or /48 (IPv6), which is the least that a site commonly has.
    public static func site(of address: IPAddress) -> IPNetwork {
        let address = address.unmapped
        return IPNetwork(of: address, length: address.bytes.count == 4 ? 24 : 48)!
    }
}
