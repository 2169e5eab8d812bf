// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// How traffic came to an attacked process, by the sockets that it held.
extension SignatureContext {
    /// The traffic that may have brought the attack: to the ports that the process listened on, or was given connections of
    /// by another that did (a server's child, or a service manager's), and from the peers of connections that it opened
    /// itself. ``any`` for a process without sockets.
    public init(_ process: ProcessParameters) {
        let listening = process.listening.filter { $0.transport != .other && $0.local.port != 0 }
        let connected = process.connected.filter { $0.transport != .other && $0.local.port != 0 && $0.peer.port != 0 }
        var parts = listening.map { SignatureContext(transport: $0.transport, ports: [$0.local.port], direction: .toService) }
        for socket in connected {
            let isServed =
                listening.contains { $0.transport == socket.transport && $0.local.port == socket.local.port }
                || socket.wasAccepted ?? socket.looksAccepted
            parts.append(
                isServed
                    ? SignatureContext(transport: socket.transport, ports: [socket.local.port], direction: .toService)
                    : SignatureContext(transport: socket.transport, ports: [socket.peer.port], direction: .fromPeer))
        }
        self.init(uniting: parts)
    }
}

extension ProcessParameters.ConnectedSocket {
    /// The first port of Linux's default range for connections that name none (`net.ipv4.ip_local_port_range`): hosts that
    /// don't say how a connection came about are taken to use it.
    private static let firstTemporaryPort: UInt16 = 32_768

    /// Whether the port at this end is a service's, and the one at the other end is not.
    fileprivate var looksAccepted: Bool { local.port < Self.firstTemporaryPort && peer.port >= Self.firstTemporaryPort }
}
