// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import TestSupport

/// A way in which servers come to hold their sockets, and the traffic by which such a server can be attacked.
struct ServerKind {
    /// A way in.
    enum Way {
        case tcp(Int)
        case udp(Int)
        /// From a service that the process itself is connected to.
        case peer(Int)
    }

    var name: String
    /// For ``ServerProcess``.
    var mode: String
    /// By the first of its ports.
    var ways: @Sendable (Int) -> [Way]
    /// Other services of the same machine, whose traffic a rule must leave alone.
    var others: @Sendable (Int) -> [Way] = { [.tcp($0 + 500), .udp($0 + 500)] }

    static let all = [
        ServerKind(name: "one process", mode: "listen", ways: { [.tcp($0)] }),
        ServerKind(name: "one process, IPv6 and IPv4", mode: "dual", ways: { [.tcp($0)] }),
        ServerKind(name: "a worker that shares the listener (nginx, Apache)", mode: "worker", ways: { [.tcp($0)] }),
        ServerKind(name: "a child that closed the listener (sshd, PostgreSQL)", mode: "fork", ways: { [.tcp($0)] }),
        ServerKind(name: "the same, and the listener is gone", mode: "gone", ways: { [.tcp($0)] }),
        ServerKind(name: "started for a connection (inetd, systemd's Accept=yes)", mode: "inherited", ways: { [.tcp($0)] }),
        ServerKind(name: "TCP and UDP (DNS, SIP)", mode: "both", ways: { [.tcp($0), .udp($0)] }),
        ServerKind(name: "UDP alone", mode: "datagrams", ways: { [.udp($0)] }, others: { [.tcp($0), .udp($0 + 500)] }),
        ServerKind(name: "20 ports", mode: "many", ways: { [.tcp($0), .tcp($0 + 19)] }),
        // More than rules name: any port, but of TCP and to a service alone.
        ServerKind(name: "300 ports", mode: "range", ways: { [.tcp($0), .tcp($0 + 299)] }, others: { [.udp($0), .peer($0 + 500)] }),
        ServerKind(name: "a server with a connection of its own", mode: "outgoing", ways: { [.tcp($0), .peer($0 + 400)] }),
        ServerKind(name: "a client", mode: "client", ways: { [.peer($0 + 400)] }, others: { [.tcp($0), .peer($0 + 500)] }),
    ]
}

extension ServerKind.Way {
    /// The frames of an attack by this way, from another client than the first.
    func frames(_ bytes: [UInt8]) -> [[UInt8]] {
        switch self {
        case .tcp(let port): connection(port, request: bytes, response: Array("ok".utf8))
        case .udp(let port): [Conversation(isVersion6: false, clientPort: 51_234, serverPort: UInt16(port)).datagram(bytes)]
        case .peer(let port): connection(port, request: Array("hello".utf8), response: bytes)
        }
    }

    private func connection(_ port: Int, request: [UInt8], response: [UInt8]) -> [[UInt8]] {
        Conversation(isVersion6: false, clientPort: 51_234, serverPort: UInt16(port)).connection(request: request, response: response)
    }
}
