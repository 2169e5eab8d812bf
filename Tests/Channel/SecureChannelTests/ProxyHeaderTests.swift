// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Testing

@testable import SecureChannel

@Suite struct ProxyHeaderTests {
    private func end(_ address: String, _ port: UInt16) throws -> ProxyHeader.End {
        ProxyHeader.End(address: try #require(IPAddress(address)), port: port)
    }

    @Test(arguments: [("192.0.2.7", "192.0.2.1", 28), ("2001:db8::7", "2001:db8::1", 52), ("192.0.2.7", "2001:db8::1", 52)])
    func `What is told is read`(source: String, destination: String, length: Int) throws {
        let header = ProxyHeader(source: try end(source, 40000), destination: try end(destination, 7444))
        let bytes = header.encoded
        #expect(bytes.count == length && ProxyHeader.read(bytes) == .header(header, length: length))
        #expect(ProxyHeader.read(bytes + [22, 3, 1]) == .header(header, length: length), "with the handshake behind it")
        for count in 0..<bytes.count { #expect(ProxyHeader.read(bytes.prefix(count)) == .incomplete) }
    }

    /// The example of HAProxy's specification, with a field behind the addresses.
    @Test func `Another program's header is read, and its further fields are passed over`() throws {
        let bytes: [UInt8] =
            ProxyHeader.signature + [0x21, 0x11, 0, 19, 127, 0, 0, 1, 127, 0, 0, 2, 0x30, 0x39, 0x1b, 0xb, 3, 0, 4, 1, 2, 3, 4]
        #expect(
            ProxyHeader.read(bytes)
                == .header(ProxyHeader(source: try end("127.0.0.1", 12345), destination: try end("127.0.0.2", 6923)), length: 35))
        let local = ProxyHeader(source: nil, destination: nil).encoded
        #expect(ProxyHeader.read(local) == .header(ProxyHeader(source: nil, destination: nil), length: 16))
    }

    @Test func `Anything else is none`() throws {
        let good = ProxyHeader(source: try end("192.0.2.7", 1), destination: try end("192.0.2.1", 2)).encoded
        #expect(ProxyHeader.read([22, 3, 1, 2]) == .malformed, "a handshake without one")
        #expect(ProxyHeader.read(Array("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n".utf8)) == .malformed, "version 1")
        for (place, value) in [(0, 0), (12, 0x11), (12, 0x22), (13, 0x12), (13, 0x31), (14, 2), (15, 11)] as [(Int, UInt8)] {
            var bytes = good
            bytes[place] = value
            #expect(ProxyHeader.read(bytes + [UInt8](repeating: 0, count: 600)) == .malformed, "\(place)")
        }
        var nobody = good
        nobody.replaceSubrange(16..<20, with: [0, 0, 0, 0])
        #expect(ProxyHeader.read(nobody) == .malformed)
    }

    @Test func `The relays that are believed are named one by one, or by their network`() throws {
        let networks = try RelayNetworks.parse(["192.0.2.9", "2001:db8:1::/64", "::ffff:192.0.2.10"])
        func isIn(_ text: String) -> Bool { networks.contains { $0.contains(IPAddress(text)!) } }
        #expect(isIn("192.0.2.9") && isIn("192.0.2.10") && isIn("2001:db8:1::5") && !isIn("192.0.2.8") && !isIn("2001:db8:2::5"))
        for wrong in ["", "host.example", "0.0.0.0/0", "::/0", "192.0.2.9:7444", "192.0.2.0/33"] {
            #expect(throws: EpitopeError.self) { try RelayNetworks.parse([wrong]) }
        }
        #expect(throws: EpitopeError.self) { try RelayNetworks.parse(Array(repeating: "192.0.2.9", count: 65)) }
    }

    @Test(arguments: [
        ("relay.example", "relay.example:7444"), ("192.0.2.9:80", "192.0.2.9:80"), ("[2001:db8::1]", "[2001:db8::1]:7444"),
        ("[2001:db8::1]:1", "[2001:db8::1]:1"),
    ]) func `A relay's address is a host with a port`(text: String, expected: String) throws {
        #expect(try RelayAddress(text).description == expected)
        #expect(try RelayAddress(expected) == RelayAddress(text))
    }

    @Test(arguments: ["", "http://relay.example", "relay.example/", "relay:0", "relay:99999", "2001:db8::1", "a b"])
    func `Anything else is no relay's address`(text: String) {
        #expect { try RelayAddress(text) } throws: { ($0 as? EpitopeError)?.code == .relayMalformed }
    }
}
