// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A center's address: an `https` URL of host and port, and nothing else.
public struct CenterAddress: Hashable, Sendable, CustomStringConvertible {
    /// A DNS name, or an IP address without brackets.
    public let host: String
    public let port: UInt16

    /// A center's port when the URL has none. IANA has not assigned it.
    public static let defaultPort: UInt16 = 7443

    /// Reads `https://HOST`, `https://HOST:PORT` or `https://[IPv6]:PORT`; one slash may follow.
    ///
    /// - Throws: `center-address-malformed`.
    public init(_ text: some StringProtocol) throws(EpitopeError) {
        let error = EpitopeError(
            .addressMalformed, "'\(text)' is not the address of a center",
            remedy: "give it as https://HOST or https://HOST:PORT")
        guard text.hasPrefix("https://") else { throw error }
        var rest = text.dropFirst("https://".count)[...]
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        let host: String
        let portText: String?
        if rest.hasPrefix("["), let end = rest.firstIndex(of: "]") {
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            let behind = rest[rest.index(after: end)...]
            guard IPAddress(host)?.bytes.count == 16, behind.isEmpty || behind.hasPrefix(":") else { throw error }
            portText = behind.isEmpty ? nil : String(behind.dropFirst())
        } else {
            let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = String(parts[0])
            portText = parts.count == 2 ? String(parts[1]) : nil
            let isName = host.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-") }
            guard !host.isEmpty, host.utf8.count <= 253, isName else { throw error }
        }
        let port = portText.map { UInt16($0) } ?? Self.defaultPort
        guard let port, port != 0 else { throw error }
        self.host = host
        self.port = port
    }

    /// - Parameter host: a DNS name or an IP address.
    public init(host: String, port: UInt16) throws(EpitopeError) {
        try self.init("https://" + (host.contains(":") ? "[\(host)]" : host) + ":\(port)")
    }

    /// The URL, with the port.
    public var description: String {
        "https://" + (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
    }

    /// Whether a DNS name or IP address of a certificate is this address's host, as it was given: what a name leads to doesn't count.
    func isNamed(_ name: String) -> Bool {
        if let address = IPAddress(host) { return address == IPAddress(name) }
        // A DNS name may end with the root's dot.
        func plain(_ name: String) -> String { (name.hasSuffix(".") ? String(name.dropLast()) : name).lowercased() }
        return IPAddress(name) == nil && plain(host) == plain(name)
    }

    /// The name to compare with a certificate's DNS names; `nil` for an IP address, which is compared with its addresses.
    var serverName: String? {
        IPAddress(host) == nil ? host : nil
    }
}
