// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterMonitoring
import KeyProcess

/// Who signs certificates for a center: `--key-socket`.
struct KeyOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Have certificates signed by the key process that listens there, such as that of a unit of its own. (default: one is started)",
            valueName: "path"))
    var keySocket: String?

    func validate() throws { try requirePaths([("--key-socket", keySocket)]) }

    /// The key process that was named, or one that is started now.
    ///
    /// - Throws: `key-socket-unusable` for a socket that is none; what ``StartedKeyProcess`` throws.
    func source<Kind: CenterKind>(for state: CenterStateOptions<Kind>, logging format: MonitoringSettings.LogFormat) throws -> KeySource {
        guard let keySocket else {
            return KeySource(socket: state.keySocketPath, started: try StartedKeyProcess(state, logging: format))
        }
        try KeyClient.requireSocket(at: keySocket)
        return KeySource(socket: keySocket)
    }
}

/// - Parameter options: with what is given for them.
/// - Throws: for an empty text, which is no path.
func requirePaths(_ options: [(name: String, path: String?)]) throws {
    for (name, path) in options where path == "" { throw ValidationError("\(name) takes a path") }
}

/// Where a center listens: `--listen`.
struct ListenOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The address and port to listen on, such as 10.0.0.1:7443 or [::]:7443.", valueName: "address"))
    var listen = "0.0.0.0:7443"

    /// Splits the address at its last colon; an IPv6 address stands in brackets.
    func validate() throws {
        guard endpoint != nil else { throw ValidationError("--listen takes ADDRESS:PORT, not '\(listen)'") }
    }

    /// Host and port; `nil`: the option is malformed.
    var endpoint: (host: String, port: Int)? { Self.endpoint(listen) }

    /// Host and port of an address; `nil`: it is malformed.
    static func endpoint(_ listen: String) -> (host: String, port: Int)? {
        guard let colon = listen.lastIndex(of: ":"), let port = UInt16(listen[listen.index(after: colon)...]) else {
            return nil
        }
        var host = String(listen[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            return nil
        }
        return host.isEmpty ? nil : (host, Int(port))
    }
}
