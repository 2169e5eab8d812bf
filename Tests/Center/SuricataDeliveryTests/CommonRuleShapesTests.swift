// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Rendering
import Signatures
import Testing

@testable import SuricataDelivery

/// The shapes that are tested at start are those that deliveries need.
struct CommonRuleShapesTests {
    private static let tested = Set(CommonRuleShapes.rules(.alert).map { RuleShape($0) })

    private static let services: [SignatureContext] =
        [.any]
        + [TransportProtocol.tcp, .udp].flatMap { transport in
            [
                SignatureContext(transport: transport, ports: [80], direction: .toService),
                SignatureContext(transport: transport, ports: [53, 1434], direction: .fromPeer),
            ]
        }
        + ProtocolBuffer.allCases.map { buffer in
            SignatureContext(
                transport: .tcp, ports: [80], direction: buffer.isOfResponse ? .fromPeer : .toService, buffer: buffer)
        }

    @Test(arguments: services)
    func `The common shapes include every kind of signature`(_ context: SignatureContext) throws {
        let long = String(repeating: "0123456789abcdef", count: 2)
        let shapes: [(Signature.Arrangement, [(String, ClosedRange<Int>?)])] = [
            (.sequence, [(long, nil)]), (.sequence, [("0102030405????0607??" + long, nil)]),
            (.sequence, [(long + "??0a??0b", 3...70)]),
            (.sequence, [("0102??03", nil), (long, nil), ("04??05", 0...12), ("060708", nil)]),
            (.sequence, [(long, nil), ("01", nil), ("02", nil), ("03", nil), ("04", nil)]),
            (.conjunction, [(long, nil), ("0102030405", nil)]),
            (.conjunction, [("11223344??" + long, nil), ("0102??0304", nil), ("0f0e0d", nil)]),
        ]
        for (arrangement, patterns) in shapes {
            let tokens = try patterns.map { try #require(Signature.Token(pattern: $0.0, gap: $0.1)) }
            let rule = try SuricataRule(
                RuleInput(
                    signature: Signature(tokens: tokens, arrangement: arrangement, context: context), sid: 3_900_001,
                    message: "sample", createdMilliseconds: 0, lifetimeDays: 1))
            #expect(Self.tested.contains(RuleShape(rule)), "\(RuleShape(rule))")
        }
    }

    @Test func `The common shapes are one rule each`() {
        let rules = CommonRuleShapes.rules(.drop, .alert)
        #expect(Set(rules.map { RuleShape($0) }).isSuperset(of: Self.tested))
        #expect(rules.count == 2 * Self.tested.count)
        #expect(Set(rules.map { RuleShape($0) }).count == rules.count)
        #expect(Set(rules.map(\.sid)).count == rules.count)
        let unsound = rules.filter { (try? RuleSyntax.check($0.text)) != $0 }
        #expect(unsound == [])
    }
}
