// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Reassembles the streams of a capture, frame by frame.
///
///     var reassembly = StreamReassembly()
///     for frame in capture { for stream in reassembly.add(frame, ...) { ... } }
///     for stream in reassembly.finish() { ... }
///
/// Frames come from an untrusted network: truncated and contradictory ones are skipped, and memory is bounded.
public struct StreamReassembly {
    private struct Key: Hashable {
        var transport: TransportProtocol
        /// The smaller endpoint first, so that both directions have the same key.
        var one: Endpoint
        var two: Endpoint
    }

    private struct Endpoint: Hashable, Comparable {
        var address: [UInt8]
        var port: UInt16

        static func < (one: Self, two: Self) -> Bool {
            one.port != two.port ? one.port < two.port : one.address.lexicographicallyPrecedes(two.address)
        }

        var model: SocketEndpoint { SocketEndpoint(address: IPAddress(bytes: address)?.description ?? "", port: port) }
    }

    private struct Flow {
        var client: Endpoint
        var server: Endpoint
        var toServer: StreamAssembly
        var toClient: StreamAssembly
        var lastMilliseconds: Int64
        var ended: Int = 0
    }

    private let bounds: ReassemblyBounds
    private var fragments = FragmentStore()
    private var flows: [Key: Flow] = [:]
    /// The sender of the first datagram between two endpoints.
    private var askers: [Key: Endpoint] = [:]
    /// Frames without a part of a stream: not IP, neither TCP nor UDP, or truncated.
    public private(set) var skippedFrames = 0

    public init(bounds: ReassemblyBounds = .init()) {
        self.bounds = bounds
    }

    /// Adds a frame.
    ///
    /// - Returns: the streams that it completes: a datagram, or those of a connection that ended.
    public mutating func add(_ frame: [UInt8], link: LinkType, milliseconds: Int64) -> [CapturedStream] {
        guard let bytes = link.payload(of: frame[...]), let part = NetworkPacket(bytes) else {
            skippedFrames += 1
            return []
        }
        guard let packet = fragments.add(part) else { return [] }
        switch packet.inside {
        case NetworkPacket.udp: return datagram(packet, milliseconds)
        case NetworkPacket.tcp: return segment(packet, milliseconds)
        default:
            skippedFrames += 1
            return []
        }
    }

    /// The streams of the connections that are still open.
    public mutating func finish() -> [CapturedStream] {
        let open = flows.values.sorted { $0.lastMilliseconds < $1.lastMilliseconds }
        flows = [:]
        return open.flatMap { streams(of: $0) }
    }

    private mutating func datagram(_ packet: NetworkPacket, _ milliseconds: Int64) -> [CapturedStream] {
        guard packet.payload.count >= 8 else {
            skippedFrames += 1
            return []
        }
        let stated = packet.payload.word(at: 4)
        let whole = stated >= 8 ? packet.payload.prefix(stated) : packet.payload
        let (source, destination) = endpoints(packet)
        let key = key(.udp, source, destination)
        if askers.count >= bounds.flows, askers[key] == nil { askers.removeAll(keepingCapacity: true) }
        let client = askers[key] ?? source
        askers[key] = client
        let isToServer = client == source
        return [
            CapturedStream(
                transport: .udp, client: client.model, server: (isToServer ? destination : source).model,
                direction: isToServer ? .toServer : .toClient, firstMilliseconds: milliseconds, lastMilliseconds: milliseconds,
                bytes: Array(whole.dropFirst(8)), isIncomplete: whole.count < stated)
        ]
    }

    private mutating func segment(_ packet: NetworkPacket, _ milliseconds: Int64) -> [CapturedStream] {
        let bytes = packet.payload
        guard bytes.count >= 20 else {
            skippedFrames += 1
            return []
        }
        let header = bytes.byte(at: 12) >> 4 * 4
        guard header >= 20, bytes.count >= header else {
            skippedFrames += 1
            return []
        }
        let (source, destination) = endpoints(packet)
        let key = key(.tcp, source, destination)
        let flags = bytes.byte(at: 13)
        let (isFinal, isSynchronising, isReset, isAnswer) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0, flags & 16 != 0)
        var done: [CapturedStream] = []
        // A new connection between the same endpoints.
        if isSynchronising, !isAnswer, let old = flows[key], !old.toServer.bytes.isEmpty {
            done += streams(of: old)
            flows[key] = nil
        }
        if flows[key] == nil, flows.count >= bounds.flows { done += giveUpQuietest() }
        var flow =
            flows[key]
            ?? newFlow(
                from: source, to: destination, isAnswer: isSynchronising && isAnswer, isSynchronising: isSynchronising,
                milliseconds: milliseconds)
        flow.lastMilliseconds = milliseconds
        let sequence = bytes.long(at: 4)
        let payload = bytes.dropFirst(header)
        let start = isSynchronising ? sequence &+ 1 : sequence
        if source == flow.client {
            if isSynchronising { flow.toServer.synchronise(sequence, milliseconds: milliseconds) }
            flow.toServer.add(payload, sequence: start, milliseconds: milliseconds)
        } else {
            if isSynchronising { flow.toClient.synchronise(sequence, milliseconds: milliseconds) }
            flow.toClient.add(payload, sequence: start, milliseconds: milliseconds)
        }
        if isFinal { flow.ended |= source == flow.client ? 1 : 2 }
        if isReset || flow.ended == 3 {
            flows[key] = nil
            return done + streams(of: flow)
        }
        flows[key] = flow
        return done
    }

    private func newFlow(
        from source: Endpoint, to destination: Endpoint, isAnswer: Bool, isSynchronising: Bool, milliseconds: Int64
    ) -> Flow {
        // If the beginning was not captured, the side with the higher port is assumed to be the client.
        let isClient = isSynchronising ? !isAnswer : source.port >= destination.port
        return Flow(
            client: isClient ? source : destination, server: isClient ? destination : source,
            toServer: StreamAssembly(maxBytes: bounds.stream), toClient: StreamAssembly(maxBytes: bounds.stream),
            lastMilliseconds: milliseconds)
    }

    private mutating func giveUpQuietest() -> [CapturedStream] {
        guard let quietest = flows.min(by: { $0.value.lastMilliseconds < $1.value.lastMilliseconds }) else { return [] }
        flows[quietest.key] = nil
        return streams(of: quietest.value)
    }

    private func streams(of flow: Flow) -> [CapturedStream] {
        [(CapturedStream.Direction.toServer, flow.toServer), (.toClient, flow.toClient)].compactMap { direction, assembly in
            var assembly = assembly
            assembly.end()
            guard !assembly.bytes.isEmpty else { return nil }
            return CapturedStream(
                transport: .tcp, client: flow.client.model, server: flow.server.model, direction: direction,
                firstMilliseconds: assembly.firstMilliseconds ?? flow.lastMilliseconds, lastMilliseconds: assembly.lastMilliseconds,
                bytes: assembly.bytes, isIncomplete: assembly.isIncomplete, cutBytes: assembly.cutBytes)
        }
    }

    private func endpoints(_ packet: NetworkPacket) -> (source: Endpoint, destination: Endpoint) {
        (
            Endpoint(address: packet.source, port: UInt16(packet.payload.word(at: 0))),
            Endpoint(address: packet.destination, port: UInt16(packet.payload.word(at: 2)))
        )
    }

    private func key(_ transport: TransportProtocol, _ one: Endpoint, _ two: Endpoint) -> Key {
        one < two ? Key(transport: transport, one: one, two: two) : Key(transport: transport, one: two, two: one)
    }
}
