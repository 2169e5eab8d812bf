// SPDX-License-Identifier: Apache-2.0

import Foundation
import Signatures
import Testing

@Suite("A proof") struct ProofTests {
    private let name = Proof.Check.Name(rawValue: "cost")

    @Test(arguments: [
        ([Proof.Check.Outcome.passed], true), ([.passed, .notChecked], true), ([.passed, .failed], false), ([.notChecked], false),
        ([], false),
    ])
    func `a proof passes if a check passed and none failed`(_ outcomes: [Proof.Check.Outcome], _ passed: Bool) {
        #expect(Proof(checks: outcomes.map { Proof.Check(name, $0, "") }).passed == passed)
    }

    @Test func `a check is written with its name as a string`() throws {
        let check = Proof.Check(name, .notChecked, "no rule")
        let json = #"{"detail":"no rule","name":"cost","outcome":"not-checked"}"#
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(String(decoding: try encoder.encode(check), as: UTF8.self) == json)
        #expect(try JSONDecoder().decode(Proof.Check.self, from: Data(json.utf8)) == check)
    }
}
