// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing

@Suite struct SignatureTests {
    private func signature(_ tokens: [Signature.Token]) -> Signature {
        Signature(tokens: tokens, context: .any)
    }

    @Test func `identity is that of the tokens alone`() {
        let one = Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any)
        let other = Signature(
            tokens: [.init(bytes: Samples.callerWindow)],
            context: SignatureContext(transport: .udp, ports: [53], direction: .toService))
        #expect(one.id == other.id)
        #expect(one.id.count == 32)
        #expect(one.id != signature([.init(bytes: Array(Samples.callerWindow.dropLast()))]).id)
        #expect(one.id != signature([.init(bytes: Samples.callerWindow, gap: 0...0)]).id)
    }

    @Test func `adjacent tokens are not the same as one token`() {
        #expect(
            signature([.init(bytes: [1, 2]), .init(bytes: [3])]).id
                != signature([.init(bytes: [1]), .init(bytes: [2, 3])]).id)
    }

    @Test func `tokens match in their order only`() {
        let two = signature([.init(bytes: [1, 2]), .init(bytes: [3, 4])])
        #expect(two.matches([0, 1, 2, 9, 9, 3, 4]))
        #expect(!two.matches([3, 4, 1, 2]))
        #expect(!two.matches([1, 2, 3]))
        #expect(!two.matches([]))
    }

    @Test func `gaps are kept and every position is tried`() {
        let two = signature([.init(bytes: [1]), .init(bytes: [2], gap: 1...2)])
        #expect(two.matches([1, 0, 2]))
        #expect(!two.matches([1, 2]))
        #expect(!two.matches([1, 0, 0, 0, 2]))
        // The first 1 is too far from the 2; the second is right.
        #expect(two.matches([1, 0, 0, 1, 0, 2]))
    }
}

@Suite struct SignatureContextTests {
    private func process(_ sockets: [(TransportProtocol, UInt16)], peers: [(TransportProtocol, UInt16)] = []) -> ProcessParameters {
        let any = SocketEndpoint(address: "0.0.0.0", port: 4000)
        return ProcessParameters(
            processID: 1, threadID: 1,
            listening: sockets.map { .init(transport: $0.0, local: SocketEndpoint(address: "0.0.0.0", port: $0.1)) },
            connected: peers.map {
                .init(transport: $0.0, local: any, peer: SocketEndpoint(address: "192.0.2.1", port: $0.1))
            })
    }

    @Test func `a service is reached at its ports`() {
        #expect(
            SignatureContext(process([(.tcp, 443), (.tcp, 80), (.tcp, 443)], peers: [(.tcp, 5432)]))
                == SignatureContext(transport: .tcp, ports: [80, 443], direction: .toService))
    }

    @Test func `a client is reached from its peers`() {
        #expect(
            SignatureContext(process([(.other, 0)], peers: [(.udp, 53)]))
                == SignatureContext(transport: .udp, ports: [53], direction: .fromPeer))
    }

    @Test func `a context is not narrower than the parameters of the process`() {
        #expect(SignatureContext(process([])) == .any)
        #expect(SignatureContext(process([(.tcp, 80), (.udp, 80)])) == .any)
        #expect(SignatureContext(process((1...17).map { (.tcp, $0) })) == .any)
    }
}
