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
            return endpoint(address: bytes[4..<8], port: port)
        case AF_INET6 where bytes.count >= 24:
            let port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
            return endpoint(address: bytes[8..<24], port: port)
        case AF_UNIX where bytes.count > 2:
            let name = bytes[2...]
            let path = name.first == 0 ? [UInt8(ascii: "@")] + name.dropFirst() : Array(name.prefix { $0 != 0 })
            return path.isEmpty ? nil : SocketEndpoint(address: String(decoding: path, as: UTF8.self), port: 0)
        default:
            return nil
        }
    }

    /// An IP address of 4 or 16 bytes with its port; an IPv4 address in IPv6 form as the IPv4 one.
    public static func endpoint(address: some Sequence<UInt8>, port: UInt16) -> SocketEndpoint? {
        IPAddress(bytes: address).map { SocketEndpoint(address: $0.unmapped.description, port: port) }
    }
}
