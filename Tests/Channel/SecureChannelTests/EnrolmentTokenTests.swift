// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Testing

@testable import SecureChannel

struct EnrolmentTokenTests {
    private let token = EnrolmentToken(authorityFingerprint: Array(0..<32))

    @Test
    func `A token reads back from its text, with or without white space around it`() throws {
        #expect(try EnrolmentToken(token.description) == token)
        #expect(try EnrolmentToken(" \(token)\n") == token)
        #expect(token.description.hasPrefix("ept1_"))
        #expect(token.secretHash.count == 32 && token.secret.count == 16)
    }

    @Test
    func `A token with one wrong, missing or extra character is refused`() {
        let text = Array(token.description)
        for index in text.indices {
            var changed = text
            changed[index] = changed[index] == "A" ? "B" : "A"
            #expect(throws: EpitopeError.self, "changed at \(index)") { try EnrolmentToken(String(changed)) }
            var shorter = text
            shorter.remove(at: index)
            #expect(throws: EpitopeError.self, "missing at \(index)") { try EnrolmentToken(String(shorter)) }
        }
        for wrong in ["", "ept1_", "\(token)A", "\(token)=", "\(token) \(token)", "ept2_" + String(text.dropFirst(5))] {
            let error = #expect(throws: EpitopeError.self) { try EnrolmentToken(wrong) }
            #expect(error?.code == .tokenMalformed)
        }
    }

    @Test
    func `Two tokens have different secrets`() {
        #expect(EnrolmentToken(authorityFingerprint: Array(0..<32)) != token)
    }
}

struct CenterAddressTests {
    @Test(arguments: [
        ("https://center.example", "https://center.example:7443"), ("https://10.0.0.1:1/", "https://10.0.0.1:1"),
        ("https://[::1]:8443", "https://[::1]:8443"), ("https://[::1]", "https://[::1]:7443"),
    ])
    func `An address is a host and a port`(text: String, full: String) throws {
        #expect(try CenterAddress(text).description == full)
    }

    @Test(arguments: [
        "", "center.example", "http://a", "https://", "https://a:", "https://a:0", "https://a:65536", "https://a/b",
        "https://u@a", "https://a?b", "https://[::1", "https://[a]:1", "https://::1:1", "https://a\r\nb",
    ])
    func `An address of any other form is refused`(text: String) {
        let error = #expect(throws: EpitopeError.self) { try CenterAddress(text) }
        #expect(error?.code == .addressMalformed)
    }
}
