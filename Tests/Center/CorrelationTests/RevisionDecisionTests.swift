// SPDX-License-Identifier: Apache-2.0

import Correlation
import EpitopeModel
import Signatures
import Testing

@Suite("A new signature takes an older one's place")
struct RevisionDecisionTests {
    private let context = SignatureContext(transport: .tcp, ports: [80], direction: .toService)
    private let first: [UInt8] = Array(0x40...0x5f)
    private let second: [UInt8] = Array(0x80...0x9f)

    private func signature(_ bytes: [UInt8], context: SignatureContext? = nil) -> Signature {
        Signature(tokens: [.init(bytes: bytes)], context: context ?? self.context)
    }

    private func proof(_ names: [Proof.Check.Name]) -> Proof {
        Proof(checks: names.map { Proof.Check($0, passed: true, "test") })
    }

    private func update(_ signature: Signature, _ names: [Proof.Check.Name] = []) -> SignatureUpdate {
        SignatureUpdate(
            signature: signature, revision: 1, origin: .site, createdMilliseconds: 0, lifetimeDays: 90, proof: proof(names))
    }

    private func revised(
        by new: [Signature], _ names: [Proof.Check.Name] = [], standing: [SignatureUpdate], packets: [[UInt8]]
    ) -> [[Int]] {
        RevisionDecision.revised(by: new.map { ($0, proof(names)) }, standing: standing, packets: packets)
    }

    @Test func `one that matches every packet of the older one takes its place`() {
        let packets = [first + second, second, [1, 2, 3]]
        #expect(revised(by: [signature(second)], standing: [update(signature(first))], packets: packets) == [[0]])
    }

    @Test func `one that misses a packet of the older one does not`() {
        let packets = [first + second, first]
        #expect(revised(by: [signature(second)], standing: [update(signature(first))], packets: packets) == [[]])
    }

    @Test func `an older one of which no packet is left stays, unless it is certainly covered`() {
        #expect(revised(by: [signature(second)], standing: [update(signature(first))], packets: [second]) == [[]])
        let part = signature(Array(first.dropFirst(8)))
        #expect(revised(by: [part], standing: [update(signature(first))], packets: [second]) == [[0]])
    }

    @Test func `one that is proven again takes no place and gives none away`() {
        let old = update(signature(first))
        #expect(revised(by: [signature(second), signature(first)], standing: [old], packets: [first + second]) == [[], []])
    }

    @Test func `a narrower context takes no place`() {
        let wider = SignatureContext(transport: .tcp, ports: [80, 443], direction: .toService)
        let old = update(signature(first, context: wider))
        #expect(revised(by: [signature(second)], standing: [old], packets: [first + second]) == [[]])
        #expect(revised(by: [signature(second, context: wider)], standing: [old], packets: [first + second]) == [[0]])
    }

    @Test func `one that may only alert takes no place of one that drops`() {
        let old = update(signature(first), [.atTheCall])
        #expect(revised(by: [signature(second)], standing: [old], packets: [first + second]) == [[]])
        #expect(revised(by: [signature(second)], [.noBenignFlow], standing: [old], packets: [first + second]) == [[0]])
    }

    @Test func `of several new ones the first that may has the place`() {
        let (one, two) = (signature(Array(second.prefix(20))), signature(second))
        #expect(revised(by: [one, two], standing: [update(signature(first))], packets: [first + second]) == [[0], []])
    }
}
