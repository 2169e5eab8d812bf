// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Where metrics, liveness and readiness are asked for: they tell who reports how much, and say so to whoever asks.
public enum MonitoringAddress: Hashable, Sendable, CustomStringConvertible {
    /// Port 0: any that is free.
    case internet(host: IPAddress, port: UInt16)
    case socket(path: String)

    /// - Parameter text: `127.0.0.1:9464`, `[::1]:9464`, or the absolute path of a socket.
    public init?(_ text: String) {
        if text.hasPrefix("/") {
            guard text.utf8.count < Self.maxPathBytes else { return nil }
            self = .socket(path: text)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        guard host.contains(":") == isBracketed, let address = IPAddress(host == "localhost" ? "127.0.0.1" : host) else { return nil }
        self = .internet(host: address, port: port)
    }

    /// What fits into a socket's address (`sun_path`), with the zero at its end.
    private static let maxPathBytes = 108

    /// Whether only this machine reaches it.
    public var isLoopback: Bool {
        switch self {
        case .socket: true
        case .internet(let host, _):
            host.unmapped.bytes.count == 4 ? host.unmapped.bytes.first == 127 : host == IPAddress("::1")
        }
    }

    public var description: String {
        switch self {
        case .socket(let path): path
        case .internet(let host, let port): host.bytes.count == 4 ? "\(host):\(port)" : "[\(host)]:\(port)"
        }
    }
}
