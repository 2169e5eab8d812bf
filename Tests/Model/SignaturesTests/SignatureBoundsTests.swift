// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing

@Suite("The bounds of a signature") struct SignatureBoundsTests {
    private func signature(_ tokens: [Signature.Token], _ context: SignatureContext = .any) -> Signature {
        Signature(tokens: tokens, context: context)
    }

    @Test func `a caller window is well formed and substantial`() {
        let window = signature([.init(bytes: Samples.callerWindow)])
        #expect(window.isWellFormed && window.isSubstantial)
    }

    @Test func `a signature that breaks a bound is malformed`() {
        let bytes = Samples.callerWindow
        let malformed = [
            signature([]),
            signature([.init(bytes: [])]),
            signature([.init(bytes: bytes, gap: -1...4)]),
            signature([.init(bytes: bytes, gap: 0...Int.max)]),
            signature(Array(repeating: .init(bytes: [1]), count: Signature.maxTokens + 1)),
            signature([.init(bytes: Array(repeating: 1, count: Signature.maxBytes + 1))]),
            signature([.init(bytes: [1, 2], masked: [0, 1])]),
            signature([.init(bytes: bytes)], SignatureContext(transport: nil, ports: [80], direction: .toService)),
            signature([.init(bytes: bytes)], SignatureContext(transport: .tcp, ports: Array(1...17), direction: .any)),
        ]
        for one in malformed { #expect(!one.isWellFormed, "\(one)") }
    }

    @Test func `fill and padding are not substantial`() {
        for fill: [UInt8] in [[0], [0x90], [0xcc], [1, 2, 3, 4, 5, 6, 7]] {
            #expect(!Signature.isSubstantial((0..<32).map { fill[$0 % fill.count] }))
        }
    }

    @Test func `fifteen bytes are not substantial`() {
        #expect(!Signature.isSubstantial(Array(Samples.callerWindow.prefix(15))))
        #expect(Signature.isSubstantial(Array(Samples.callerWindow.prefix(16))))
    }
}
