// SPDX-License-Identifier: Apache-2.0

/// An operating-system function that an attack needs.
public enum CriticalCall: String, Hashable, Sendable, Codable, CaseIterable {
    case execve
    case execveat
    case connect
    case sendto
    case sendmsg
    case sendmmsg
    case bind
    case listen
    case accept
    case accept4
    /// On a socket, as are the next three.
    case write
    case writev
    case sendfile
    case splice
    /// Submits io_uring requests, which may send or connect.
    case ioUringEnter = "io_uring_enter"
    /// Attaching to another process.
    case ptrace
    /// Writes another process's memory.
    case processVMWritev = "process_vm_writev"
    /// Takes a copy of another process's descriptor.
    case pidfdGetfd = "pidfd_getfd"
    /// Opens a process's memory (`/proc/PID/mem`) for writing, by any of the calls that open files.
    case openMemory = "open"

    /// What an attack uses the call for. Shell code blocking watches `exec`; send blocking watches `send`.
    public enum Family: String, Hashable, Sendable, Codable {
        case exec
        case connect
        case send
        case serve
        /// Reaches into another process. Seen by `epitope run`, which guards the processes outside of its command.
        case intrude
    }

    /// What the call is for.
    public var family: Family {
        switch self {
        case .execve, .execveat: .exec
        case .connect: .connect
        case .sendto, .sendmsg, .sendmmsg, .write, .writev, .sendfile, .splice, .ioUringEnter: .send
        case .bind, .listen, .accept, .accept4: .serve
        case .ptrace, .processVMWritev, .pidfdGetfd, .openMemory: .intrude
        }
    }
}

/// The arguments of a critical call, decoded as far as they could be read from the caller's registers and memory.
/// Parts that could not be read are `nil`.
public struct CallArguments: Hashable, Sendable, Codable {
    /// The remote side of a connect or send: from the call's own address, else from the connected socket.
    public var peer: SocketEndpoint?
    /// The address of a bind, or the socket's own address.
    public var local: SocketEndpoint?
    public var transport: TransportProtocol?
    /// The path that an exec-like call names.
    public var path: String?
    /// The first arguments of an exec-like call (at most 32, each at most 256 bytes).
    public var arguments: [String]?
    /// The number of bytes that a send-like call was about to send.
    public var payloadLength: UInt64?

    public init(
        peer: SocketEndpoint? = nil, local: SocketEndpoint? = nil, transport: TransportProtocol? = nil,
        path: String? = nil, arguments: [String]? = nil, payloadLength: UInt64? = nil
    ) {
        self.peer = peer
        self.local = local
        self.transport = transport
        self.path = path
        self.arguments = arguments
        self.payloadLength = payloadLength
    }
}

/// The transport of a socket.
public enum TransportProtocol: String, Hashable, Sendable, Codable, CaseIterable {
    case tcp
    case udp
    /// Neither: a Unix, netlink, raw or other socket.
    case other
}

/// One side of a socket: an IP address in its usual notation with a port, or a Unix path with port 0.
public struct SocketEndpoint: Hashable, Sendable, Codable {
    public var address: String
    public var port: UInt16

    public init(address: String, port: UInt16) {
        self.address = address
        self.port = port
    }
}
