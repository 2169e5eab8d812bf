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
    /// - Parameter connected: transport, local and remote port, and what the host says of it.
    private func process(
        _ listening: [(TransportProtocol, UInt16)], connected: [(TransportProtocol, UInt16, UInt16, Bool?)] = []
    ) -> ProcessParameters {
        ProcessParameters(
            processID: 1, threadID: 1,
            listening: listening.map { .init(transport: $0.0, local: SocketEndpoint(address: "0.0.0.0", port: $0.1)) },
            connected: connected.map {
                .init(
                    transport: $0.0, local: SocketEndpoint(address: "192.0.2.2", port: $0.1),
                    peer: SocketEndpoint(address: "192.0.2.1", port: $0.2), wasAccepted: $0.3)
            })
    }

    private func service(_ transport: TransportProtocol, _ ports: [UInt16]) -> SignatureContext {
        SignatureContext(transport: transport, ports: ports, direction: .toService)
    }

    private func peer(_ transport: TransportProtocol, _ ports: [UInt16]) -> SignatureContext {
        SignatureContext(transport: transport, ports: ports, direction: .fromPeer)
    }

    @Test func `a service is reached at its ports`() {
        #expect(SignatureContext(process([(.tcp, 443), (.tcp, 80), (.tcp, 443)])) == service(.tcp, [80, 443]))
        // Connections that came in at its ports say nothing new.
        #expect(SignatureContext(process([(.tcp, 80)], connected: [(.tcp, 80, 40_000, nil)])) == service(.tcp, [80]))
    }

    @Test func `a client is reached from its peers`() {
        #expect(SignatureContext(process([(.other, 0)], connected: [(.udp, 40_000, 53, nil)])) == peer(.udp, [53]))
        #expect(SignatureContext(process([], connected: [(.tcp, 40_000, 41_000, false)])) == peer(.tcp, [41_000]))
    }

    @Test func `a connection that another process took is to the service`() {
        #expect(SignatureContext(process([], connected: [(.tcp, 26_010, 33_938, true)])) == service(.tcp, [26_010]))
        #expect(SignatureContext(process([], connected: [(.tcp, 48_000, 33_938, true)])) == service(.tcp, [48_000]))
        // A host that doesn't say: by the ports.
        #expect(SignatureContext(process([], connected: [(.tcp, 22, 33_938, nil)])) == service(.tcp, [22]))
        #expect(SignatureContext(process([], connected: [(.tcp, 40_000, 33_938, nil)])) == peer(.tcp, [33_938]))
        #expect(SignatureContext(process([], connected: [(.tcp, 700, 2049, nil)])) == peer(.tcp, [2049]))
    }

    @Test func `a server with a connection of its own is reached both ways`() {
        let context = SignatureContext(process([(.tcp, 80)], connected: [(.tcp, 40_000, 5432, false), (.tcp, 80, 51_000, true)]))
        #expect(context.parts == [service(.tcp, [80]), peer(.tcp, [5432])])
    }

    @Test func `a server of both protocols, or of many ports, has several parts`() {
        #expect(SignatureContext(process([(.tcp, 53), (.udp, 53)])).parts == [service(.tcp, [53]), service(.udp, [53])])
        #expect(
            SignatureContext(process((1...20).map { (.tcp, $0) })).parts
                == [service(.tcp, Array(1...16)), service(.tcp, Array(17...20))])
    }

    @Test func `whatever sockets a process has, its rules name a protocol`() {
        let sockets = (1...200).map { (TransportProtocol.tcp, UInt16($0)) } + (1...200).map { (.udp, UInt16($0)) }
        let connected = (1...200).map { (TransportProtocol.tcp, UInt16(40_000 + $0), UInt16(1000 + $0), Bool?.some(false)) }
        let context = SignatureContext(process(sockets, connected: connected))
        #expect(context.parts.count <= SignatureContext.maxParts)
        #expect(context.parts.allSatisfy { $0.transport != nil && $0.direction != .any })
        #expect(Signature(tokens: [.init(bytes: Samples.callerWindow)], context: context).isWellFormed)
        #expect(SignatureContext(process([])) == .any)
    }
}
