// SPDX-License-Identifier: Apache-2.0

/// Writes one flow to a server: what a shape of flow is made with.
struct FlowWriter {
    static let (fin, syn, rst, push, ack, urg) = (1, 2, 4, 8, 16, 32)
    static let mss = 1400

    var ends: CheckedPacket.Ends
    var random: SeededGenerator
    /// Of the client's and the server's first byte.
    var start: UInt32
    var serverStart: UInt32
    /// What every segment's checksum is to be.
    var checksum = CheckedPacket.Checksum.right
    var window = 65535
    /// Puts a packet into a frame.
    var wrap: @Sendable ([UInt8]) -> [UInt8] = Encapsulation.ethernet
    private(set) var frames: [[UInt8]] = []

    init(ends: CheckedPacket.Ends, random: SeededGenerator) {
        self.ends = ends
        self.random = random
        start = UInt32.random(in: 0...UInt32.max, using: &self.random)
        serverStart = UInt32.random(in: 0...UInt32.max, using: &self.random)
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }

    mutating func packet(_ packet: [UInt8]) { frames.append(wrap(packet)) }

    /// A segment of either side.
    func segment(
        fromServer: Bool = false, at offset: Int, flags: Int = FlowWriter.ack, options: [UInt8] = [], acknowledged: Int = 0,
        urgent: Int = 0, checksum: CheckedPacket.Checksum? = nil, _ payload: some Sequence<UInt8>
    ) -> [UInt8] {
        let (own, other) = fromServer ? (serverStart, start) : (start, serverStart)
        return CheckedPacket.segment(
            fromServer ? ends.reversed : ends, sequence: own &+ UInt32(truncatingIfNeeded: offset),
            acknowledged: flags & Self.ack == 0 ? 0 : other &+ UInt32(truncatingIfNeeded: acknowledged), flags: flags, window: window,
            urgent: urgent, options: options, checksum: checksum ?? self.checksum, payload)
    }

    mutating func send(_ segment: [UInt8], fromServer: Bool = false, isRight: Bool = true) {
        packet(CheckedPacket.packet(fromServer ? ends.reversed : ends, inside: CheckedPacket.tcp, segment, isRight: isRight))
    }

    /// The three segments that open a connection.
    mutating func open(options: [UInt8] = []) {
        send(segment(at: -1, flags: Self.syn, options: options, []))
        send(segment(fromServer: true, at: -1, flags: Self.syn | Self.ack, options: options, []), fromServer: true)
        send(segment(at: 0, []))
    }

    /// A part of the client's data in one segment.
    mutating func data(_ bytes: some Sequence<UInt8>, at offset: Int, checksum: CheckedPacket.Checksum? = nil) {
        send(segment(at: offset, flags: Self.ack | Self.push, checksum: checksum, bytes))
    }

    /// The server has the client's bytes up to here.
    mutating func acknowledge(_ offset: Int) {
        send(segment(fromServer: true, at: 0, acknowledged: offset, []), fromServer: true)
    }

    /// All data in order, acknowledged now and then.
    mutating func inOrder(_ data: [UInt8], from offset: Int = 0, mss: Int? = nil) {
        var place = 0
        while place < data.count {
            let end = min(data.count, place + (mss ?? Int.random(in: 9...Self.mss, using: &random)))
            self.data(data[place..<end], at: offset + place)
            place = end
            if Bool.random(using: &random) { acknowledge(offset + place) }
        }
        acknowledge(offset + data.count)
    }

    /// Both sides end.
    mutating func close(_ offset: Int) {
        send(segment(at: offset, flags: Self.fin | Self.ack, []))
        send(segment(fromServer: true, at: 0, flags: Self.fin | Self.ack, acknowledged: offset + 1, []), fromServer: true)
        send(segment(at: offset + 1, acknowledged: 1, []))
    }

    /// Divides data at random places.
    mutating func divided(_ data: [UInt8], least: Int = 9, most: Int = FlowWriter.mss) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var place = 0
        while place < data.count {
            let end = min(data.count, place + Int.random(in: least...most, using: &random))
            ranges.append(place..<end)
            place = end
        }
        return ranges
    }
}
