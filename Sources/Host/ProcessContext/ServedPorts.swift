// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import EpitopeModel
import FileAccess
import Foundation

/// Which end of a connection is the service. A server's child that closed the listening socket (sshd, postgres), and a program
/// that a service manager started for one connection (inetd, systemd's `Accept=yes`), hold the connection alone.
struct ServedPorts {
    /// How many ports the kernel is asked about for one process. Each costs some microseconds while the process is held.
    static let maxAsked = 16

    /// Whether some process waits for connections or datagrams at a port; `nil`: nobody knows.
    typealias Question = (TransportProtocol, UInt16) -> Bool?

    /// The ports that the machine gives to connections that name none.
    let temporary: ClosedRange<UInt16>
    private let isServed: Question

    init(temporary: ClosedRange<UInt16>, isServed: @escaping Question) {
        self.temporary = temporary
        self.isServed = isServed
    }

    /// The machine's own.
    ///
    /// - Parameter process: the process's folder in the process table. One in another network namespace is judged by its ports alone:
    ///   the kernel answers for the asker's.
    init(process: String) {
        let isHere = ProcFS.link(process + "/ns/net").map { $0 == ProcFS.link("/proc/self/ns/net") } ?? false
        self.init(temporary: Self.temporaryPorts(ProcFS.bytes("/proc/sys/net/ipv4/ip_local_port_range", maxBytes: 64) ?? [])) {
            transport, port in
            isHere ? Self.isServed(transport, port) : nil
        }
    }

    /// What the kernel says of this process's own network namespace; `nil` if it doesn't.
    static func isServed(_ transport: TransportProtocol, _ port: UInt16) -> Bool? {
        let answer = epitope_is_served(transport == .udp ? Int32(IPPROTO_UDP) : Int32(IPPROTO_TCP), port)
        return answer < 0 ? nil : answer == 1
    }

    /// `32768\t60999\n`; the kernel's default where it is unreadable (ip(7)).
    static func temporaryPorts(_ text: [UInt8]) -> ClosedRange<UInt16> {
        let numbers = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).compactMap { UInt16($0) }
        guard numbers.count == 2, numbers[0] <= numbers[1] else { return 32_768...60_999 }
        return numbers[0]...numbers[1]
    }

    /// Says of each connection whether it was made to a service at this end.
    ///
    /// - Parameter listening: the process's own sockets that wait for connections or datagrams.
    func mark(_ connected: inout [ProcessParameters.ConnectedSocket], listening: [ProcessParameters.BoundSocket]) {
        var known: [String: Bool?] = [:]
        for socket in listening { known["\(socket.transport) \(socket.local.port)"] = true }
        var left = Self.maxAsked
        for index in connected.indices where connected[index].transport != .other {
            let (transport, local, peer) = (connected[index].transport, connected[index].local.port, connected[index].peer.port)
            let key = "\(transport) \(local)"
            if known[key] == nil, left > 0 {
                known[key] = .some(isServed(transport, local))
                left -= 1
            }
            connected[index].wasAccepted = wasAccepted(local: local, peer: peer, isServed: known[key] ?? nil)
        }
    }

    /// A service may have closed its listening socket since: then the ports speak.
    private func wasAccepted(local: UInt16, peer: UInt16, isServed: Bool?) -> Bool? {
        if isServed == true { return true }
        if temporary.contains(local) { return isServed ?? (temporary.contains(peer) ? nil : false) }
        return temporary.contains(peer) || peer > temporary.upperBound ? true : isServed
    }
}
