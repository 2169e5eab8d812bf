// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A part of a protocol's message that an engine takes out of the traffic, without the form in which that brought it, and
/// searches by itself. What is in pieces or packed in the stream is in a row there.
public enum ProtocolBuffer: String, Hashable, Sendable, Codable, CaseIterable {
    /// An HTTP request's URI, with its percent signs resolved.
    case httpURI = "http-uri"
    /// An HTTP request's body, without chunks and compression.
    case httpRequestBody = "http-request-body"
    /// The same, with its percent signs and plus signs resolved, as forms have them.
    case httpFormBody = "http-form-body"
    /// An HTTP response's body, without chunks and compression.
    case httpResponseBody = "http-response-body"
    /// The name that a DNS query asks for: its labels with dots between them.
    case dnsQuery = "dns-query"

    /// The protocols that bring it.
    public var transports: [TransportProtocol] { self == .dnsQuery ? [.tcp, .udp] : [.tcp] }

    /// Whether it is of what a service sends, and not of what it is sent.
    public var isOfResponse: Bool { self == .httpResponseBody }
}

extension SignatureContext {
    /// The traffic without regard to buffers.
    public var withoutBuffers: SignatureContext {
        guard parts.contains(where: { $0.buffer != nil }) else { return self }
        return SignatureContext(
            uniting: parts.map { SignatureContext(transport: $0.transport, ports: $0.ports, direction: $0.direction) })
    }

    /// Where a signature is searched within its traffic: in the bytes as they are (`nil`), or in buffers.
    public var buffers: Set<ProtocolBuffer?> { Set(parts.map(\.buffer)) }

    /// The same traffic, searched in these places only.
    ///
    /// - Parameter places: `nil` for the bytes as they are. A buffer that none of the traffic has is left out; if none is left,
    ///   the traffic is searched as it is.
    public func searched(in places: Set<ProtocolBuffer?>) -> SignatureContext {
        let parts = withoutBuffers.parts.flatMap { part in
            places.flatMap { place -> [SignatureContext] in
                guard let place else { return [part] }
                return place.transports.filter { part.transport == nil || part.transport == $0 }.compactMap { transport in
                    guard part.direction == .any || (part.direction == .fromPeer) == place.isOfResponse else { return nil }
                    return SignatureContext(transport: transport, ports: part.ports, direction: part.direction, buffer: place)
                }
            }
        }
        return parts.isEmpty ? withoutBuffers : SignatureContext(uniting: parts)
    }
}
