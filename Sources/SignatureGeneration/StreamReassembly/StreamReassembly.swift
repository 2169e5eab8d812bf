// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Reassembles the streams of a capture, frame by frame, as Suricata 7.0.10 does by default; what differs is in
/// Documentation/Signatures.md.
///
///     var reassembly = StreamReassembly()
///     for frame in capture { for stream in reassembly.add(frame, ...) { ... } }
///     while let streams = reassembly.endOldest() { ... }
///
/// Frames come from an untrusted network: truncated and contradictory ones are skipped, memory is bounded, and the time for a
/// frame depends on its length only, but for logarithms.
public struct StreamReassembly {
    private let bounds: ReassemblyBounds
    private var fragments = FragmentStore()
    private var connections = LeastRecentlyUsed<FlowKey, TCPConnection>()
    private var openings = LeastRecentlyUsed<FlowKey, TCPOpening>()
    /// The sender of the first datagram between two endpoints.
    private var askers = LeastRecentlyUsed<FlowKey, Side>()
    private var counts = ReassemblyTally()
    private var ownWork = 0
    private var streams = 0
    private var connectionBytes = 0
    private var done: [CapturedStream] = []

    public init(bounds: ReassemblyBounds = .init()) {
        self.bounds = bounds
    }

    /// What was left out so far.
    public var tally: ReassemblyTally {
        var tally = counts
        tally.lostFragments = fragments.lost
        return tally
    }

    /// In bytes: how often a byte was looked at or copied, and a constant for each frame. What bounds of cost are tested by.
    public var work: Int { ownWork + fragments.work }
    /// In bytes of memory: what is held of connections and fragments, about.
    public var heldBytes: Int { connectionBytes + fragments.heldBytes }

    /// Adds a frame.
    ///
    /// - Parameter isCut: whether the capture holds only the beginning of it.
    /// - Returns: what it completes: datagrams, and parts of streams that ended or became long.
    public mutating func add(_ frame: [UInt8], link: LinkType, milliseconds: Int64, isCut: Bool = false) -> [CapturedStream] {
        ownWork += 64 + min(frame.count, 64)
        if let layer = link.layer(of: frame[...]) {
            read(layer, FrameTags(), milliseconds, isCut: isCut)
        } else {
            counts.skip(Unread.malformed.kind)
        }
        defer { done = [] }
        return done
    }

    /// Counts a frame of a link type that is not among ``LinkType``.
    public mutating func skip(link: Int) {
        counts.skip("link type \(link)")
    }

    /// The streams of the connection that was idle for longest, of those that are still open; `nil` if none is. Asked for after the
    /// last frame, until there are none.
    public mutating func endOldest() -> [CapturedStream]? {
        guard let (_, connection) = connections.removeOldest() else {
            fragments.finish()
            return nil
        }
        end(connection)
        defer { done = [] }
        return done
    }

    /// The streams of all connections that are still open, where these are few.
    public mutating func finish() -> [CapturedStream] {
        var all: [CapturedStream] = []
        while let streams = endOldest() { all += streams }
        return all
    }

    private mutating func read(_ layer: Layer, _ tags: FrameTags, _ milliseconds: Int64, isCut: Bool) {
        var tags = tags
        do throws(Unread) {
            let bytes = try layer.packet(tags: &tags)
            guard let part = NetworkPacket(bytes, isCut: isCut) else { throw .malformed }
            if part.isCut { counts.cutPackets += 1 }
            try read(fragments.add(part, tags: tags, milliseconds: milliseconds), tags, milliseconds)
        } catch {
            counts.skip(error.kind)
        }
    }

    /// Reads a packet, or the ways in which fragments make one: where they disagree, some may be malformed.
    private mutating func read(_ ways: [NetworkPacket], _ tags: FrameTags, _ milliseconds: Int64) throws(Unread) {
        var unread: Unread?
        var isRead = false
        for way in ways {
            do throws(Unread) {
                try read(way, tags, milliseconds)
                isRead = true
            } catch {
                unread = error
            }
        }
        if let unread, !isRead { throw unread }
    }

    private mutating func read(_ packet: NetworkPacket, _ tags: FrameTags, _ milliseconds: Int64) throws(Unread) {
        switch packet.inside {
        case NetworkPacket.udp: try datagram(packet, tags, milliseconds)
        case NetworkPacket.tcp: try segment(packet, tags, milliseconds)
        default:
            guard let inner = try Tunnels.inside(packet) else { throw Unread(kind: "IP protocol \(packet.inside)") }
            try tunnelled(inner, tags, milliseconds, isCut: packet.isCut)
        }
    }

    private mutating func tunnelled(_ layer: Layer, _ tags: FrameTags, _ milliseconds: Int64, isCut: Bool) throws(Unread) {
        guard tags.depth < Tunnels.maxDepth else { throw Unread(kind: "more than \(Tunnels.maxDepth) tunnels") }
        var tags = tags
        tags.depth += 1
        read(layer, tags, milliseconds, isCut: isCut)
    }

    private mutating func datagram(_ packet: NetworkPacket, _ tags: FrameTags, _ milliseconds: Int64) throws(Unread) {
        guard packet.payload.count >= 8 else { throw .malformed }
        let ports = (packet.payload.word(at: 0), packet.payload.word(at: 2))
        let stated = packet.payload.word(at: 4)
        let whole = stated >= 8 ? packet.payload.prefix(stated) : packet.payload
        let bytes = whole.dropFirst(8)
        let source = Endpoint(address: packet.source, port: UInt16(ports.0))
        let destination = Endpoint(address: packet.destination, port: UInt16(ports.1))
        let key = FlowKey(.udp, source, destination, tags)
        let client = asker(key, key.side(of: source))
        streams += 1
        ownWork += bytes.count
        done.append(
            CapturedStream(
                number: streams, transport: .udp, client: key[client].model, server: key[client.other].model,
                direction: key[client] == source ? .toServer : .toClient, firstMilliseconds: milliseconds,
                lastMilliseconds: milliseconds, bytes: Array(bytes), isIncomplete: whole.count < stated))
        if let inner = Tunnels.inside(datagram: bytes, ports: ports) {
            try tunnelled(inner, tags, milliseconds, isCut: packet.isCut)
        }
    }

    private mutating func asker(_ key: FlowKey, _ side: Side) -> Side {
        if let client = askers.use(key, { $0 }) { return client }
        if askers.count >= bounds.flows { askers.removeOldest() }
        askers.insert(side, for: key)
        return side
    }

    private mutating func segment(_ packet: NetworkPacket, _ tags: FrameTags, _ milliseconds: Int64) throws(Unread) {
        guard let segment = TCPSegment(packet) else { throw .malformed }
        ownWork += packet.payload.count
        let source = Endpoint(address: packet.source, port: segment.sourcePort)
        let destination = Endpoint(address: packet.destination, port: segment.destinationPort)
        let key = FlowKey(.tcp, source, destination, tags)
        let side = key.side(of: source)
        guard let (outcome, held) = use(key, segment, side, milliseconds) else {
            open(key, segment, side, milliseconds)
            return
        }
        connectionBytes += held
        switch outcome {
        case .continues: break
        case .ignored: counts.ignoredSegments += 1
        case .ends: if let ended = connections.remove(key) { end(ended) }
        case .isReplaced(let opening):
            if let ended = connections.remove(key) { end(ended) }
            openings.remove(key)
            openings.insert(opening, for: key)
            if !segment.isSynchronising { open(key, segment, side, milliseconds) }
        }
        endQuietest()
    }

    /// Gives a segment to its connection.
    ///
    /// - Returns: what it does, and how much more is held of it; `nil` if there is no such connection.
    private mutating func use(_ key: FlowKey, _ segment: TCPSegment, _ side: Side, _ milliseconds: Int64) -> (TCPConnection.Outcome, Int)? {
        var parts: [(Side, StreamAssembly.Part)] = []
        var work = 0
        let result = connections.use(key) { connection in
            let (held, before) = (connection.heldBytes, connection.work)
            let outcome = connection.add(segment, from: side, milliseconds: milliseconds)
            parts = connection.takeParts()
            work = connection.work - before
            return (outcome, connection.heldBytes - held)
        }
        ownWork += work
        if !parts.isEmpty, let connection = connections[key] { hand(on: parts, of: connection) }
        return result
    }

    /// A segment that belongs to no connection with data.
    private mutating func open(_ key: FlowKey, _ segment: TCPSegment, _ side: Side, _ milliseconds: Int64) {
        var opening = openings.remove(key) ?? TCPOpening()
        guard opening.trust[side].takes(segment), segment.isTaken else {
            openings.insert(opening, for: key)
            counts.ignoredSegments += 1
            return
        }
        if segment.isReset { return }
        if segment.isSynchronising { opening.add(segment, from: side, milliseconds: milliseconds) }
        guard !segment.payload.isEmpty else {
            if openings.count >= bounds.flows { openings.removeOldest() }
            openings.insert(opening, for: key)
            return
        }
        streams += 2
        let connection = TCPConnection(
            number: streams - 1, key: key, opening: opening, first: segment, from: side, bounds: bounds)
        connections.insert(connection, for: key)
        if let (_, held) = use(key, segment, side, milliseconds) { connectionBytes += held }
        endQuietest()
    }

    private mutating func endQuietest() {
        while connections.count > bounds.flows || connectionBytes > bounds.memory, let (_, connection) = connections.removeOldest() {
            counts.endedEarly += 1
            end(connection)
        }
    }

    private mutating func end(_ connection: TCPConnection) {
        var connection = connection
        connectionBytes -= connection.heldBytes
        let before = connection.work
        connection.end()
        ownWork += connection.work - before
        counts.gaps += connection.gaps
        hand(on: connection.takeParts(), of: connection)
    }

    private mutating func hand(on parts: [(side: Side, part: StreamAssembly.Part)], of connection: TCPConnection) {
        guard !parts.isEmpty else { return }
        let (client, server) = (connection.key[connection.client].model, connection.key[connection.client.other].model)
        for (side, part) in parts {
            let stream = connection.streams[side]
            done.append(
                CapturedStream(
                    number: connection.number + (side == connection.client ? 0 : 1), transport: .tcp, client: client, server: server,
                    direction: side == connection.client ? .toServer : .toClient, firstMilliseconds: stream.firstMilliseconds ?? 0,
                    lastMilliseconds: stream.lastMilliseconds, bytes: part.bytes, offset: part.offset, overlap: part.overlap,
                    version: part.version, isContinued: part.isContinued, isIncomplete: part.isIncomplete))
        }
    }
}
