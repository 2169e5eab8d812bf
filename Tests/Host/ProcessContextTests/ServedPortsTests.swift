// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import ProcessContext

/// Which end of a connection is the service.
@Suite struct ServedPortsTests {
    private func mark(
        local: UInt16, peer: UInt16, served: Bool?, listening: [UInt16] = [], transport: TransportProtocol = .tcp
    ) -> Bool? {
        func end(_ port: UInt16) -> SocketEndpoint { SocketEndpoint(address: "192.0.2.1", port: port) }
        var connected = [ProcessParameters.ConnectedSocket(transport: transport, local: end(local), peer: end(peer))]
        ServedPorts(temporary: 32_768...60_999) { _, _ in served }
            .mark(&connected, listening: listening.map { .init(transport: .tcp, local: end($0)) })
        return connected[0].wasAccepted
    }

    @Test func `a port that somebody serves is a service's, wherever it lies`() {
        #expect(mark(local: 22, peer: 40_000, served: true) == true)
        #expect(mark(local: 45_000, peer: 40_000, served: true) == true)
        #expect(mark(local: 45_000, peer: 40_000, served: false, listening: [45_000]) == true)
    }

    @Test func `where nobody serves it any more, or the kernel doesn't tell, the ports decide`() {
        for served in [false, nil] as [Bool?] {
            #expect(mark(local: 22, peer: 40_000, served: served) == true)
            #expect(mark(local: 22, peer: 64_000, served: served) == true, "another system's range")
            #expect(mark(local: 40_000, peer: 443, served: served) == false)
        }
        #expect(mark(local: 40_000, peer: 41_000, served: false) == false)
        #expect(mark(local: 40_000, peer: 41_000, served: nil) == nil)
        #expect(mark(local: 700, peer: 2049, served: false) == false, "a client that took a low port")
        #expect(mark(local: 700, peer: 2049, served: nil) == nil)
    }

    @Test func `the machine says which ports it gives away`() {
        #expect(ServedPorts.temporaryPorts(Array("1024\t65000\n".utf8)) == 1024...65_000)
        #expect(ServedPorts.temporaryPorts([]) == 32_768...60_999)
        #expect(ServedPorts.temporaryPorts(Array("9 1".utf8)) == 32_768...60_999)
    }

    @Test func `the kernel is asked once a port, and at most so often`() {
        final class Count { var asked = 0 }
        let count = Count()
        var connected = (1...100).flatMap { port in
            (1...3).map { peer in
                ProcessParameters.ConnectedSocket(
                    transport: .tcp, local: SocketEndpoint(address: "192.0.2.1", port: UInt16(port)),
                    peer: SocketEndpoint(address: "192.0.2.2", port: UInt16(40_000 + peer)))
            }
        }
        ServedPorts(temporary: 32_768...60_999) { _, _ in
            count.asked += 1
            return false
        }.mark(&connected, listening: [])
        #expect(count.asked == ServedPorts.maxAsked)
        #expect(connected.allSatisfy { $0.wasAccepted == true })
    }

    /// A socket of this test's own on loopback; the kernel chooses the port.
    private func socket(_ type: __socket_type, _ family: Int32 = AF_INET) throws -> (descriptor: Int32, port: UInt16) {
        let descriptor = Foundation.socket(family, Int32(type.rawValue), 0)
        try #require(descriptor >= 0)
        var address = sockaddr_in(
            sin_family: sa_family_t(AF_INET), sin_port: 0, sin_addr: in_addr(s_addr: UInt32(0x7f00_0001).bigEndian),
            sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
            }
        }
        try #require(status == 0)
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    @Test func `the kernel knows which ports are served`() throws {
        let (stream, port) = try socket(SOCK_STREAM)
        defer { close(stream) }
        #expect(ServedPorts.isServed(.tcp, port) == false, "bound is not served")
        #expect(listen(stream, 1) == 0)
        #expect(ServedPorts.isServed(.tcp, port) == true)
        #expect(ServedPorts.isServed(.udp, port) == false)
        let (datagrams, other) = try socket(SOCK_DGRAM)
        defer { close(datagrams) }
        #expect(ServedPorts.isServed(.udp, other) == true)
        #expect(ServedPorts.isServed(.tcp, other) == false)
    }
}
