// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Tells which frames of a capture belong to some flows, so that these can be shown to an engine alone.
///
/// A fragment belongs to every flow between its addresses: a few frames too many do no harm. Left out are the segments that
/// reassembly leaves out for their checksum, since an engine that reads a file is told not to look at these.
public struct FlowFrames {
    fileprivate struct Flow {
        var key: FlowKey
        var trust = Both<SegmentTrust>(one: SegmentTrust(), two: SegmentTrust())
        var isOpened = false
    }

    private var flows: [Flow]

    /// - Parameter flows: by their ends. Tunnels and VLANs are looked through, whatever they are.
    public init(_ flows: [(transport: TransportProtocol, client: SocketEndpoint, server: SocketEndpoint)]) {
        self.flows = flows.compactMap { flow in
            guard let client = Endpoint(flow.client), let server = Endpoint(flow.server) else { return nil }
            return Flow(key: FlowKey(flow.transport, client, server, FrameTags()), isOpened: flow.transport != .tcp)
        }
    }

    /// Whether the beginning of each flow was among the frames so far: without it an engine takes no connection up.
    public var areOpened: Bool { !flows.isEmpty && flows.allSatisfy(\.isOpened) }

    /// Whether a frame is to be kept. Asked for all frames, in their order.
    public mutating func holds(_ frame: [UInt8], link: LinkType, isCut: Bool = false) -> Bool {
        link.layer(of: frame[...]).map { holds($0, depth: 0, isCut: isCut) } ?? false
    }

    private mutating func holds(_ layer: Layer, depth: Int, isCut: Bool) -> Bool {
        var tags = FrameTags()
        guard depth <= Tunnels.maxDepth, let bytes = try? layer.packet(tags: &tags), let packet = NetworkPacket(bytes, isCut: isCut)
        else { return false }
        if packet.fragment != nil { return flows.contains { $0.isBetween(packet.source, packet.destination) } }
        switch packet.inside {
        case NetworkPacket.tcp: return holds(segmentOf: packet)
        case NetworkPacket.udp: return holds(datagramOf: packet, depth: depth)
        default: return (try? Tunnels.inside(packet)).flatMap { $0 }.map { holds($0, depth: depth + 1, isCut: packet.isCut) } ?? false
        }
    }

    private mutating func holds(segmentOf packet: NetworkPacket) -> Bool {
        guard let segment = TCPSegment(packet) else { return false }
        let source = Endpoint(address: packet.source, port: segment.sourcePort)
        let key = FlowKey(.tcp, source, Endpoint(address: packet.destination, port: segment.destinationPort), FrameTags())
        guard let index = flows.firstIndex(where: { $0.key == key }), flows[index].trust[key.side(of: source)].takes(segment) else {
            return false
        }
        if segment.isSynchronising { flows[index].isOpened = true }
        return true
    }

    private mutating func holds(datagramOf packet: NetworkPacket, depth: Int) -> Bool {
        guard packet.payload.count >= 8 else { return false }
        let ports = (packet.payload.word(at: 0), packet.payload.word(at: 2))
        let source = Endpoint(address: packet.source, port: UInt16(ports.0))
        let key = FlowKey(.udp, source, Endpoint(address: packet.destination, port: UInt16(ports.1)), FrameTags())
        if flows.contains(where: { $0.key == key }) { return true }
        return Tunnels.inside(datagram: packet.payload.dropFirst(8), ports: ports).map { holds($0, depth: depth + 1, isCut: packet.isCut) }
            ?? false
    }
}

extension FlowFrames.Flow {
    fileprivate func isBetween(_ source: NetworkAddress, _ destination: NetworkAddress) -> Bool {
        let (one, two) = (key.one.address, key.two.address)
        return source == one && destination == two || source == two && destination == one
    }
}

extension Endpoint {
    fileprivate init?(_ model: SocketEndpoint) {
        guard let address = IPAddress(model.address) else { return nil }
        self.init(address: NetworkAddress(address.bytes[...]), port: model.port)
    }
}
