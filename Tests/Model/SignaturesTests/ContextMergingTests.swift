// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Signatures
import TestSupport
import Testing

@Suite("Contexts are narrowed over the packets of a cluster")
struct ContextMergingTests {
    private func context(_ ports: [UInt16], _ direction: SignatureContext.Direction = .toService) -> SignatureContext {
        SignatureContext(transport: .udp, ports: ports, direction: direction)
    }

    @Test func `ports of one transport are united`() {
        #expect(context([1434]).merged(with: context([53, 1434])) == context([53, 1434]))
    }

    private func parts(_ context: SignatureContext) -> [String] {
        context.parts.map { part in
            "\(part.transport.map(\.rawValue) ?? "any") \(part.direction.rawValue) \(part.ports.count) from \(part.ports.first ?? 0)"
        }
    }

    @Test func `another transport or direction is another part`() {
        let both = context([1]).merged(with: SignatureContext(transport: .tcp, ports: [1], direction: .toService))
        #expect(parts(both) == ["tcp to-service 1 from 1", "udp to-service 1 from 1"])
        #expect(parts(both.merged(with: context([9], .fromPeer))) == parts(both) + ["udp from-peer 1 from 9"])
        #expect(context([1]).merged(with: .any) == .any)
        #expect(both.merged(with: .any) == .any && SignatureContext(uniting: []) == .any)
    }

    @Test func `any port stays any port`() {
        #expect(context([]).merged(with: context([5])) == context([]))
    }

    @Test func `more ports than a part names become another part`() {
        #expect(context(Array(1...15)).merged(with: context([16])).ports == Array(1...16))
        let more = context(Array(1...16)).merged(with: context([17]))
        #expect(parts(more) == ["udp to-service 16 from 1", "udp to-service 1 from 17"])
        #expect(more.merged(with: context([3, 17])) == more)
    }

    @Test func `more parts than there may be widen the most ports of one protocol and direction`() {
        let web = SignatureContext(transport: .tcp, ports: [80], direction: .toService)
        let most = SignatureContext(uniting: [web] + stride(from: UInt16(1), to: 112, by: 16).map { context(Array($0..<$0 + 16)) })
        #expect(most.parts.count == SignatureContext.maxParts)
        #expect(parts(most.merged(with: context([200]))) == ["tcp to-service 1 from 80", "udp to-service 0 from 0"])
    }

    @Test func `any port in both directions leaves no other part of the protocol`() {
        let all = SignatureContext(transport: .udp, ports: [], direction: .any)
        #expect(context([1]).merged(with: all) == all)
        #expect(all.covers(context([1], .fromPeer)) && !context([1]).covers(all))
    }

    @Test func `the order in which packets come changes nothing`() {
        let all = [
            context([5, 1]), context([2], .fromPeer), SignatureContext(transport: .tcp, ports: [7], direction: .toService),
            context([1, 3]), SignatureContext(transport: .tcp, ports: [7, 8], direction: .fromPeer),
        ]
        let united = SignatureContext(uniting: all)
        for seed in 0..<20 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            let shuffled = all.shuffled(using: &random)
            #expect(shuffled.dropFirst().reduce(shuffled[0]) { $0.merged(with: $1) } == united)
        }
        #expect(all.allSatisfy(united.covers) && !all.contains { $0.covers(united) })
    }

    @Test func `several parts read back from JSON as they were, and a single one is written as before`() throws {
        let several = context([1]).merged(with: context([9], .fromPeer))
        #expect(try JSONDecoder().decode(SignatureContext.self, from: JSONEncoder().encode(several)) == several)
        let single = String(decoding: try JSONEncoder().encode(context([1])), as: UTF8.self)
        #expect(!single.contains("further"))
        let before = #"{"transport":"udp","ports":[1],"direction":"to-service"}"#
        #expect(try JSONDecoder().decode(SignatureContext.self, from: Data(before.utf8)) == context([1]))
    }

    @Test func `a wider context covers a narrower one`() {
        #expect(context([1, 2]).covers(context([2])))
        #expect(!context([2]).covers(context([1, 2])))
        #expect(SignatureContext.any.covers(context([1])))
        #expect(!context([1]).covers(.any))
    }
}
