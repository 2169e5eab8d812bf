// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import Testing

@Suite("Contexts are narrowed over the packets of a cluster")
struct ContextMergingTests {
    private func context(_ ports: [UInt16], _ direction: SignatureContext.Direction = .toService) -> SignatureContext {
        SignatureContext(transport: .udp, ports: ports, direction: direction)
    }

    @Test func `ports of one transport are united`() {
        #expect(context([1434]).merged(with: context([53, 1434])) == context([53, 1434]))
    }

    @Test func `another transport or direction leaves any`() {
        #expect(context([1]).merged(with: SignatureContext(transport: .tcp, ports: [1], direction: .toService)) == .any)
        #expect(context([1]).merged(with: context([1], .fromPeer)) == .any)
        #expect(context([1]).merged(with: .any) == .any)
    }

    @Test func `any port stays any port`() {
        #expect(context([]).merged(with: context([5])) == context([]))
    }

    @Test func `more ports than a context names become any port`() {
        #expect(context(Array(1...16)).merged(with: context([17])) == context([]))
        #expect(context(Array(1...15)).merged(with: context([16])).ports == Array(1...16))
    }

    @Test func `a wider context covers a narrower one`() {
        #expect(context([1, 2]).covers(context([2])))
        #expect(!context([2]).covers(context([1, 2])))
        #expect(SignatureContext.any.covers(context([1])))
        #expect(!context([1]).covers(.any))
    }
}
