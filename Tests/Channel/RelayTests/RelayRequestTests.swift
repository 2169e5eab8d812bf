// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel
import Testing

@testable import Relay

@Suite struct RelayRequestTests {
    private let centers: [CenterAddress]

    init() throws {
        centers = [try CenterAddress("https://center.example:7443"), try CenterAddress("https://[2001:db8::1]:7443")]
    }

    private func read(_ text: String) -> RelayRequest.Reading { RelayRequest.read(Array(text.utf8), centers: centers) }

    @Test(arguments: [
        ("center.example:7443", 0), ("CENTER.example:7443", 0), ("[2001:db8::1]:7443", 1), ("[2001:DB8:0::1]:7443", 1),
    ]) func `A configured center is granted, however it is written`(target: String, number: Int) {
        let request = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\nUser-Agent: any\r\n\r\n"
        #expect(read(request + "more") == .center(centers[number], length: request.utf8.count))
        for count in 0..<request.utf8.count {
            #expect(RelayRequest.read(Array(request.utf8.prefix(count)), centers: centers) == .incomplete)
        }
    }

    @Test(arguments: [
        ("CONNECT other.example:7443 HTTP/1.1\r\n\r\n", RelayRequest.Refusal.otherCenter),
        ("CONNECT center.example:22 HTTP/1.1\r\n\r\n", .otherCenter), ("CONNECT 192.0.2.1:7443 HTTP/1.1\r\n\r\n", .otherCenter),
        ("CONNECT center.example.:7443 HTTP/1.1\r\n\r\n", .otherCenter), ("CONNECT center.example HTTP/1.1\r\n\r\n", .malformed),
        ("CONNECT center.example:7443\r\n\r\n", .malformed), ("CONNECT  center.example:7443 HTTP/1.1\r\n\r\n", .malformed),
        ("CONNECT https://center.example:7443/ HTTP/1.1\r\n\r\n", .malformed), ("CONNECT center.example:7443 HTTP/2\r\n\r\n", .malformed),
        ("GET http://center.example:7443/ HTTP/1.1\r\n\r\n", .otherMethod), ("\r\n\r\n", .malformed), ("\u{16}\u{3}\u{1}", .malformed),
        ("CONNECT center.example:7443 HTTP/1.1\nHost: x\n\n" + String(repeating: "x", count: 5000), .tooLong),
    ]) func `Anything else is refused`(text: String, refusal: RelayRequest.Refusal) {
        #expect(read(text) == .refused(refusal))
        #expect(refusal.answer.hasPrefix("HTTP/1.1 \(refusal.rawValue) "))
    }

    @Test func `A relay takes no more connections than it has descriptors for`() throws {
        var bounds = RelayBounds()
        bounds.connections = 100
        #expect(try bounds.within(limit: nil, open: 10).connections == 100)
        #expect(try bounds.within(limit: 1024, open: 10).connections == 100)
        #expect(try bounds.within(limit: 128, open: 10).connections == 43)
        #expect(throws: EpitopeError.self) { try bounds.within(limit: 50, open: 10) }
    }
}
