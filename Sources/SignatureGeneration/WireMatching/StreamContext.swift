// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures
public import StreamReassembly

extension CapturedStream {
    /// Who sent it, and to whom.
    public var ends: (source: SocketEndpoint, destination: SocketEndpoint) {
        direction == .toServer ? (client, server) : (server, client)
    }
}

extension SignatureContext {
    /// Whether a rule with this context applies to a stream: ports count only together with a protocol and a direction, and
    /// only TCP has a side that opened the flow.
    ///
    /// Decides which streams may have carried an attack, and which `epitope verify` searches: a stream that the rule would
    /// not see is not evidence for it.
    ///
    /// - Parameter buffer: asks for rules that search that buffer; `nil`: for those that search the stream as it is.
    public func admits(_ stream: CapturedStream, in buffer: ProtocolBuffer? = nil) -> Bool {
        parts.contains { $0.buffer == buffer && $0.partAdmits(stream) }
    }

    private func partAdmits(_ stream: CapturedStream) -> Bool {
        guard let transport, transport != .other else { return true }
        guard transport == stream.transport else { return false }
        switch direction {
        case .any: return true
        case .toService:
            return (transport == .udp || stream.direction == .toServer) && (ports.isEmpty || ports.contains(stream.ends.destination.port))
        case .fromPeer:
            return (transport == .udp || stream.direction == .toClient) && (ports.isEmpty || ports.contains(stream.ends.source.port))
        }
    }
}
