// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc

/// A proxy on the way to a center, which passes the encrypted connection through (`CONNECT`, RFC 9110, 9.3.6).
///
/// It is taken from the environment, as curl and most other programs do: `https_proxy` (or `HTTPS_PROXY`) names it, `no_proxy` (or
/// `NO_PROXY`) what is reached without. A center on loopback is reached by one that is itself there, as curl does, and by no other: that
/// would look for it on its own machine.
struct CenterProxy: Hashable, Sendable {
    struct Login: Hashable, Sendable {
        var user: String
        var password: String
    }

    var host: String
    var port: UInt16
    var login: Login?
    /// Whether it is one of Epitope's own relays, which the enrolment named.
    var isRelay = false

    /// Without the password.
    var name: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
    /// What it is, for a person.
    var kind: String { isRelay ? "relay" : "proxy" }

    /// The proxy on the way to a center; `nil`: there is none.
    ///
    /// - Parameter relay: that the enrolment named. It leads to the site's centers, so that no other way is looked for.
    /// - Throws: `proxy-malformed`.
    static func find(
        for center: CenterAddress, relay: RelayAddress? = nil, environment: (String) -> String? = Self.variable
    ) throws(EpitopeError) -> CenterProxy? {
        if let relay { return CenterProxy(relay) }
        func value(_ name: String) -> String? { environment(name) ?? environment(name.uppercased()) }
        guard let text = value("https_proxy"), !text.isEmpty, !isExcluded(center, by: value("no_proxy") ?? "") else { return nil }
        guard isLoopback(center.host) else { return try CenterProxy(text) }
        guard let proxy = try? CenterProxy(text), isLoopback(proxy.host) else { return nil }
        return proxy
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// Reads `http://[USER:PASSWORD@]HOST[:PORT]`, also without the scheme.
    init(_ text: String) throws(EpitopeError) {
        // Not with the text: it may hold a password.
        let error = EpitopeError(
            .proxyMalformed, "the environment's https_proxy is not the address of a proxy",
            remedy: "give it as http://HOST:PORT (a proxy that itself speaks TLS is not supported), or name the center in no_proxy")
        var rest = text[...]
        if let scheme = text.firstRange(of: "://") {
            guard text[..<scheme.lowerBound].lowercased() == "http" else { throw error }
            rest = text[scheme.upperBound...]
        }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let user = Self.decoded(parts[0]), let password = Self.decoded(parts.count > 1 ? parts[1] : "") else { throw error }
            login = Login(user: user, password: password)
            rest = rest[rest.index(after: at)...]
        }
        let hasPort = rest.last != "]" && rest.contains(":")
        guard let address = try? CenterAddress("https://\(rest)" + (hasPort ? "" : ":\(Self.defaultPort)")) else { throw error }
        (host, port) = (address.host, address.port)
    }

    init(_ relay: RelayAddress) {
        (host, port, isRelay) = (relay.host, relay.port, true)
    }

    /// As curl has it.
    private static let defaultPort = 1080

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Whether a center is reached without: names with all below them, addresses, networks (`10.0.0.0/8`), each also with a port; `*`
    /// is everything.
    static func isExcluded(_ center: CenterAddress, by list: String) -> Bool {
        let address = IPAddress(center.host)
        return list.split(whereSeparator: { $0 == "," || $0 == " " }).contains { item in
            item == "*" || (address.map { matches($0, center.port, item) } ?? matches(center.host, center.port, item))
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        guard let bytes = IPAddress(host)?.unmapped.bytes else { return host.lowercased() == "localhost" }
        return bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
    }

    private static func matches(_ host: String, _ port: UInt16, _ item: Substring) -> Bool {
        let parts = item.split(separator: ":", maxSplits: 1)
        guard let first = parts.first, parts.count == 1 || UInt16(parts[1]) == port else { return false }
        let name = first.drop { $0 == "." || $0 == "*" }.lowercased()
        let host = host.lowercased()
        return !name.isEmpty && (host == name || host.hasSuffix("." + name))
    }

    private static func matches(_ address: IPAddress, _ port: UInt16, _ item: Substring) -> Bool {
        if item.contains("/") { return IPNetwork(item)?.contains(address) ?? false }
        if IPAddress(item) == address { return true }
        guard let colon = item.lastIndex(of: ":"), UInt16(item[item.index(after: colon)...]) == port else { return false }
        return IPAddress(item[..<colon].drop { $0 == "[" }.prefix { $0 != "]" }) == address
    }
}
