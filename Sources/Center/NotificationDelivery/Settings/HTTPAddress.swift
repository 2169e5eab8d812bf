// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import SettingsFiles

/// An address that is posted to. Only the settings name one: no redirect is followed, and no proxy of the environment is asked.
struct HTTPAddress: Hashable, Sendable {
    /// In full, and so perhaps a secret.
    let text: String
    /// Scheme, machine and port: for a person.
    let place: String

    /// - Parameter allowsPlainText: whether `http://` may lead to another machine.
    /// - Throws: `configuration-invalid`, without the text.
    init(_ text: String, allowsPlainText: Bool) throws(EpitopeError) {
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), let parts = URLComponents(string: text),
            let scheme = parts.scheme?.lowercased(), scheme == "https" || scheme == "http", let host = parts.host, !host.isEmpty,
            parts.user == nil, parts.password == nil, parts.fragment == nil
        else {
            throw EpitopeError(
                .configurationInvalid, "the url is none that can be posted to",
                remedy: "write https://HOST/PATH, without a user, a password or a fragment")
        }
        guard scheme == "https" || allowsPlainText || Self.isLoopback(host) else {
            throw EpitopeError(
                .configurationInvalid, "the url leads to another machine without encryption",
                remedy: "use https; or say that it is meant, with plainText: true")
        }
        self.text = text
        place = "\(scheme)://\(host)\(parts.port.map { ":\($0)" } ?? "")"
    }

    private static func isLoopback(_ host: String) -> Bool {
        let name = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        guard let address = IPAddress(name) else { return name.lowercased() == "localhost" }
        return address.unmapped.bytes.first == 127 && address.unmapped.bytes.count == 4
            || address.bytes == Array(repeating: 0, count: 15) + [1]
    }
}

/// A machine and a port, `host:port` or `[address]:port`.
struct HostAndPort: Hashable, Sendable, CustomStringConvertible {
    let host: String
    let port: Int

    /// - Throws: `configuration-invalid`.
    init(_ text: String) throws(EpitopeError) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            throw Self.invalid(text)
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard IPAddress(host)?.bytes.count == 16 else { throw Self.invalid(text) }
        } else {
            guard host.wholeMatch(of: /[A-Za-z0-9]([A-Za-z0-9.\-]{0,252}[A-Za-z0-9])?/) != nil else { throw Self.invalid(text) }
        }
        self.host = host
        self.port = Int(port)
    }

    private static func invalid(_ text: String) -> EpitopeError {
        EpitopeError(
            .configurationInvalid, "'\(text.prefix(80))' is no address with a port",
            remedy: "write HOST:PORT, such as siem.example:6514 or [2001:db8::1]:514")
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
