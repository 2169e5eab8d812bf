// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A relay's address (`epitope relay`), by which a host without a way to its centers reaches them.
public struct RelayAddress: Hashable, Sendable, CustomStringConvertible {
    /// A DNS name, or an IP address without brackets.
    public let host: String
    public let port: UInt16

    /// A relay's port where none is given. IANA has not assigned it.
    public static let defaultPort: UInt16 = 7444

    /// Reads `HOST`, `HOST:PORT` or `[IPv6]:PORT`.
    ///
    /// - Throws: `relay-malformed`.
    public init(_ text: some StringProtocol) throws(EpitopeError) {
        let hasPort = text.hasPrefix("[") ? text.last != "]" : text.contains(":")
        guard let address = try? CenterAddress("https://\(text)" + (hasPort ? "" : ":\(Self.defaultPort)")), !text.hasSuffix("/") else {
            throw EpitopeError(
                .relayMalformed, "'\(text)' is not the address of a relay",
                remedy: "give it as HOST or HOST:PORT; an IPv6 address stands in brackets")
        }
        (host, port) = (address.host, address.port)
    }

    /// With the port.
    public var description: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
