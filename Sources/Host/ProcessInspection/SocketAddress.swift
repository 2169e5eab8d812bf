// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc

/// Decodes a `struct sockaddr` as it stands in memory.
public enum SocketAddress {
    /// IPv4, IPv6 (an IPv4 address in IPv6 form as the IPv4 one) or a Unix path (`@name` for an abstract one); `nil`
    /// for anything else, a socket without an address among it.
    public static func endpoint(_ bytes: some Collection<UInt8>) -> SocketEndpoint? {
        let bytes = Array(bytes)
        guard bytes.count >= 2 else { return nil }
        switch Int32(bytes[0]) | Int32(bytes[1]) << 8 {
        case AF_INET where bytes.count >= 8:
            let port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
            return SocketEndpoint(address: dotted(bytes[4..<8]), port: port)
        case AF_INET6 where bytes.count >= 24:
            let port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
            return endpoint(address: Array(bytes[8..<24]), port: port)
        case AF_UNIX where bytes.count > 2:
            let name = bytes[2...]
            let path = name.first == 0 ? [UInt8(ascii: "@")] + name.dropFirst() : Array(name.prefix { $0 != 0 })
            return path.isEmpty ? nil : SocketEndpoint(address: String(decoding: path, as: UTF8.self), port: 0)
        default:
            return nil
        }
    }

    /// An IP address of 4 or 16 bytes with its port; an IPv4 address in IPv6 form as the IPv4 one.
    public static func endpoint(address: [UInt8], port: UInt16) -> SocketEndpoint? {
        if address.count == 4 { return SocketEndpoint(address: dotted(address[...]), port: port) }
        guard address.count == 16 else { return nil }
        if address.prefix(10).allSatisfy({ $0 == 0 }), address[10] == 0xFF, address[11] == 0xFF {
            return SocketEndpoint(address: dotted(address.suffix(4)), port: port)
        }
        return text(ofIPv6: address).map { SocketEndpoint(address: $0, port: port) }
    }

    private static func dotted(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.map { String($0) }.joined(separator: ".")
    }

    private static func text(ofIPv6 bytes: [UInt8]) -> String? {
        var text = [CChar](repeating: 0, count: 46)
        guard inet_ntop(AF_INET6, bytes, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
