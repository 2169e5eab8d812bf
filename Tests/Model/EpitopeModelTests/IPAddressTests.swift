// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
import TestSupport
import Testing

struct IPAddressTests {
    /// What the C library writes; it differs from RFC 5952 for the deprecated IPv4-compatible addresses (`::1.2.3.4`) alone.
    private func systemText(_ bytes: [UInt8]) -> String? {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func systemBytes(_ text: String) -> [UInt8]? {
        var (four, six) = (in_addr(), in6_addr())
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
        if inet_pton(AF_INET6, text, &six) == 1 { return withUnsafeBytes(of: six) { Array($0) } }
        return nil
    }

    @Test func `An address is written and read as the C library does it`() throws {
        var generator = SeededGenerator(seed: 5952)
        for _ in 0..<20_000 {
            // Mostly zeros, so that runs of them are of every length and at every place.
            var bytes = (0..<16).map { _ in Bool.random(using: &generator) ? 0 : UInt8.random(in: 0...255, using: &generator) }
            for group in 0..<8 where Int.random(in: 0..<3, using: &generator) > 0 { (bytes[group * 2], bytes[group * 2 + 1]) = (0, 0) }
            if bytes.prefix(12).allSatisfy({ $0 == 0 }) { bytes[0] = 1 }
            for bytes in [bytes, Array(bytes.suffix(4)), [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF] + bytes.suffix(4)] {
                let address = try #require(IPAddress(bytes: bytes))
                #expect(address.description == systemText(bytes))
                #expect(IPAddress(address.description) == address)
            }
        }
    }

    @Test(arguments: [
        "", ".", ":", "::", "::1", "1::", "1::2", ":1", "1:", ":::", "1:::2", "1::2::3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "+1::", "::ffff:1.2.3.4", "::1.2.3", "1.2.3.4::",
        "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "1.2.3.4", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "0.0.0.0",
        "1.2.3.", "1.2.3.+4", "1.2.3.4 ", "fe80::1%lo", "[::1]", "\u{661}.2.3.4", "ABCD::ef",
    ])
    func `A text is an address where the C library takes it for one`(text: String) {
        #expect(IPAddress(text)?.bytes == systemBytes(text))
    }

    @Test func `An IPv4 address in IPv6 form is unmapped`() {
        #expect(IPAddress("::ffff:10.0.0.1")?.unmapped == IPAddress("10.0.0.1"))
        #expect(IPAddress("::1")?.unmapped == IPAddress("::1"))
        #expect(IPAddress("10.0.0.1")?.unmapped == IPAddress("10.0.0.1"))
        #expect(IPAddress(bytes: [1, 2, 3]) == nil)
    }
}
