// SPDX-License-Identifier: Apache-2.0

import Foundation
import Signatures
import Testing

/// Signatures as JSON come from files that people and other programs write.
@Suite struct BadJSONTests {
    private func decode(_ tokens: String) throws -> Signature {
        try JSONDecoder().decode(
            Signature.self, from: Data(#"{"tokens": \#(tokens), "context": {"ports": [], "direction": "any"}}"#.utf8))
    }

    @Test(arguments: ["[-1, 4]", "[0, 4294967296]", "[0, 9223372036854775807]", "[-9223372036854775808, 0]", "[5, 4]"])
    func `an impossible gap is rejected`(_ gap: String) {
        #expect(throws: DecodingError.self) {
            try decode(#"[{"pattern": "31c0"}, {"pattern": "cd80", "gap": \#(gap)}]"#)
        }
    }

    @Test(arguments: ["[]", #"[{"pattern": ""}]"#, #"[{"pattern": "????"}]"#, #"[{"pattern": "31c"}]"#])
    func `a token without a fixed byte is rejected`(_ tokens: String) {
        #expect(throws: DecodingError.self) { try decode(tokens) }
    }

    @Test func `the widest gap is accepted`() throws {
        let signature = try decode(#"[{"pattern": "31c0", "gap": [0, 4]}, {"pattern": "cd80", "gap": [0, 4294967295]}]"#)
        #expect(signature.matches([9, 0x31, 0xc0, 9, 0xcd, 0x80]))
    }
}
