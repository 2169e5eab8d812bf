// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation

/// The kernel's table of sockets of one protocol, as `/proc/PID/net/tcp` and its like print it.
struct SocketTable {
    struct Entry: Hashable {
        var inode: UInt64
        var state: UInt8
        var local: SocketEndpoint
        var peer: SocketEndpoint
    }

    /// States of include/net/tcp_states.h; UDP sockets use the first and the third.
    static let established: UInt8 = 1
    static let closed: UInt8 = 7
    static let listening: UInt8 = 10

    var entries: [Entry]

    /// - Parameters:
    ///   - text: the table with its heading. Lines of another form are left out.
    ///   - inodes: the sockets to look for.
    init(_ text: [UInt8], inodes: Set<UInt64>) {
        entries = []
        for line in text.split(separator: UInt8(ascii: "\n")).dropFirst() {
            // sl local rem st queues timer retransmits uid timeout inode
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 10)
            guard fields.count >= 10, let inode = UInt64(Self.string(fields[9])), inodes.contains(inode),
                let state = UInt8(Self.string(fields[3]), radix: 16), let local = Self.endpoint(fields[1]),
                let peer = Self.endpoint(fields[2])
            else { continue }
            entries.append(Entry(inode: inode, state: state, local: local, peer: peer))
        }
    }

    private static func string(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    /// `0100007F:0016`: the address as words in the machine's own byte order, the port as a number.
    static func endpoint(_ field: ArraySlice<UInt8>) -> SocketEndpoint? {
        let parts = field.split(separator: UInt8(ascii: ":"))
        guard parts.count == 2, let words = Hex.decode(string(parts[0])), let port = UInt16(string(parts[1]), radix: 16) else {
            return nil
        }
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: words.count, by: 4) where start + 4 <= words.count {
            let word = words[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            withUnsafeBytes(of: word) { bytes += $0 }
        }
        guard bytes.count == 4 || bytes.count == 16, bytes.count == words.count else { return nil }
        return IPAddress(bytes: bytes).map { SocketEndpoint(address: $0.description, port: port) }
    }
}

/// The sockets that a process has open.
struct ProcessSockets {
    /// How many descriptors, and how many bytes of each table, are read. This keeps the reading within a millisecond or two
    /// on a busy server; sockets beyond are not reported.
    static let maxDescriptors = 4096
    static let maxTableBytes = 524_288

    var listening: [ProcessParameters.BoundSocket] = []
    var connected: [ProcessParameters.ConnectedSocket] = []

    /// - Parameters:
    ///   - process: the process's folder in the process table.
    ///   - processID: to query the sockets themselves, where the kernel allows it; `nil`: only the tables are read.
    init(process: String, processID: Int32?) {
        var inodes: Set<UInt64> = []
        var descriptors: [Int32] = []
        for name in (try? Folders.names(process + "/fd", maxCount: Self.maxDescriptors)) ?? [] {
            guard let target = ProcFS.link(process + "/fd/" + name), target.hasPrefix("socket:["),
                let inode = UInt64(target.dropFirst(8).dropLast()), let descriptor = Int32(name)
            else { continue }
            inodes.insert(inode)
            descriptors.append(descriptor)
        }
        guard !inodes.isEmpty else { return }
        if let processID, let queried = SocketQuery(processID: processID, descriptors: descriptors) {
            (listening, connected) = (queried.listening, queried.connected)
        } else {
            readTables(process, inodes)
        }
        ServedPorts(process: process).mark(&connected, listening: listening)
        sort()
    }

    /// The tables of the process's own network namespace.
    private mutating func readTables(_ process: String, _ inodes: Set<UInt64>) {
        for (name, transport) in [("tcp", TransportProtocol.tcp), ("tcp6", .tcp), ("udp", .udp), ("udp6", .udp)] {
            guard let text = ProcFS.bytes(process + "/net/" + name, maxBytes: Self.maxTableBytes) else { continue }
            add(SocketTable(text, inodes: inodes).entries, transport)
        }
    }

    private mutating func sort() {
        listening.sort { Self.key($0.transport, $0.local) < Self.key($1.transport, $1.local) }
        connected.sort { one, other in
            let (first, second) = (Self.key(one.transport, one.local), Self.key(other.transport, other.local))
            return first == second ? Self.key(one.transport, one.peer) < Self.key(other.transport, other.peer) : first < second
        }
    }

    private mutating func add(_ entries: [SocketTable.Entry], _ transport: TransportProtocol) {
        for entry in entries where entry.local.port != 0 {
            switch (transport, entry.state) {
            case (.tcp, SocketTable.listening), (.udp, SocketTable.closed):
                listening.append(.init(transport: transport, local: entry.local))
            case _ where entry.peer.port != 0:
                connected.append(.init(transport: transport, local: entry.local, peer: entry.peer))
            default: break
            }
        }
    }

    /// A fixed order, so that the same sockets give the same packet.
    private static func key(_ transport: TransportProtocol, _ endpoint: SocketEndpoint) -> (String, UInt16, String) {
        (transport.rawValue, endpoint.port, endpoint.address)
    }
}
