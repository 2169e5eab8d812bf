// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Signatures
import TestSupport
import Testing

@Suite("Signatures from outside are checked")
struct SignatureCheckTests {
    private func signature(_ tokens: [Signature.Token], _ context: SignatureContext = .any) -> Signature {
        Signature(tokens: tokens, context: context)
    }

    @Test func `a caller window passes without its packets`() {
        let proof = SignatureCheck.proof(of: signature([.init(bytes: Samples.callerWindow)]))
        #expect(proof.passed)
        #expect(proof.checks.map(\.name) == ["well-formed", "long-enough", "not-fill"])
    }

    @Test func `a signature with packets must match them`() {
        let own = signature([.init(bytes: Samples.callerWindow)])
        #expect(SignatureCheck.proof(of: own, samples: [Samples.code.bytes]).passed)
        #expect(!SignatureCheck.proof(of: own, samples: [Samples.code.bytes, [1, 2, 3]]).passed)
        #expect(!SignatureCheck.proof(of: own, samples: []).passed)
    }

    @Test func `malformed signatures are not even matched`() {
        let bytes = Samples.callerWindow
        let malformed = [
            signature([]),
            signature([.init(bytes: [])]),
            signature([.init(bytes: bytes, gap: -1...4)]),
            signature([.init(bytes: bytes, gap: 0...Int.max)]),
            signature(Array(repeating: .init(bytes: [1]), count: 65)),
            signature([.init(bytes: Array(repeating: 1, count: 8193))]),
            signature([.init(bytes: [1, 2], masked: [0, 1])]),
            signature([.init(bytes: bytes)], SignatureContext(transport: nil, ports: [80], direction: .toService)),
            signature([.init(bytes: bytes)], SignatureContext(transport: .tcp, ports: Array(1...17), direction: .any)),
        ]
        for one in malformed {
            #expect(!SignatureCheck.isWellFormed(one))
            #expect(SignatureCheck.proof(of: one, samples: [bytes]).checks.map(\.name) == ["well-formed"])
        }
    }

    @Test func `filler is not proven`() {
        #expect(!SignatureCheck.proof(of: signature([.init(bytes: Array(repeating: 0x90, count: 32))])).passed)
    }
}
