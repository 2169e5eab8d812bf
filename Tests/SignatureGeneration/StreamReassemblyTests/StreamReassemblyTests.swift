// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import StreamReassembly
import TestSupport
import Testing

private let client: (host: UInt8, port: UInt16) = (1, 40000)
private let server: (host: UInt8, port: UInt16) = (2, 80)

private func streams(_ frames: [[UInt8]], link: LinkType = .raw, bounds: ReassemblyBounds = .init()) -> [CapturedStream] {
    var reassembly = StreamReassembly(bounds: bounds)
    var streams: [CapturedStream] = []
    for (index, frame) in frames.enumerated() { streams += reassembly.add(frame, link: link, milliseconds: Int64(index)) }
    return streams + reassembly.finish()
}

private func toServer(_ sequence: UInt32, _ text: String, _ flags: NetworkFrame.Flags = .ack) -> [UInt8] {
    NetworkFrame.tcp(from: client, to: server, sequence: sequence, flags: flags, Array(text.utf8))
}

@Suite("Reassembly of TCP streams")
struct ConnectionTests {
    @Test func `the two sides of a connection are two streams`() throws {
        let both = streams([
            toServer(100, "", .syn), NetworkFrame.tcp(from: server, to: client, sequence: 900, flags: [.syn, .ack]),
            toServer(101, "GET /"), NetworkFrame.tcp(from: server, to: client, sequence: 901, Array("200".utf8)),
        ])
        #expect(both.map { String(decoding: $0.bytes, as: UTF8.self) } == ["GET /", "200"])
        #expect(both.map(\.direction) == [.toServer, .toClient])
        #expect(both.map(\.isIncomplete) == [false, false])
        #expect(both[0].client == SocketEndpoint(address: "10.0.0.1", port: 40000))
        #expect(both[0].server == SocketEndpoint(address: "10.0.0.2", port: 80))
        #expect(both[0].firstMilliseconds == 0 && both[0].lastMilliseconds == 2)
    }

    /// Any order of segments that overlap and repeat gives the stream, across the wrap of the sequence numbers.
    @Test(arguments: [UInt32(0), 1000, UInt32.max - 20])
    func `segments in any order give the same stream`(start: UInt32) {
        var random = SeededGenerator(seed: UInt64(start) + 1)
        let text = Array("the quick brown fox jumps over the lazy dog, twice".utf8)
        for _ in 0..<200 {
            var pieces = stride(from: 0, to: text.count, by: 5).map { from in
                (from, Array(text[from..<min(text.count, from + Int.random(in: 5...9, using: &random))]))
            }
            pieces += [pieces[2], pieces[4]]
            pieces.shuffle(using: &random)
            let frames =
                [toServer(start, "", .syn)]
                + pieces.map {
                    NetworkFrame.tcp(from: client, to: server, sequence: start &+ 1 &+ UInt32($0.0), $0.1)
                }
            let found = streams(frames)
            #expect(found.map(\.bytes) == [text])
            #expect(found.map(\.isIncomplete) == [false])
        }
    }

    @Test func `a stream with a gap is divided there and its other bytes are kept`() {
        // What lies alone between two gaps and is shorter than anything that is sought is left out.
        let found = streams([toServer(0, "", .syn), toServer(1, "ab"), toServer(5, "1234567"), toServer(21, "stuvwxyz")])
        #expect(found.map { String(decoding: $0.bytes, as: UTF8.self) } == ["ab", "stuvwxyz"])
        #expect(found.map(\.isIncomplete) == [false, true])
        #expect(found.map(\.offset) == [0, 20])
        #expect(found.map(\.isContinued) == [false, true])
    }

    @Test func `a connection ends with both sides or a reset`() {
        var reassembly = StreamReassembly()
        _ = reassembly.add(toServer(0, "", .syn), link: .raw, milliseconds: 0)
        _ = reassembly.add(toServer(1, "bye"), link: .raw, milliseconds: 1)
        #expect(reassembly.add(toServer(90, "", [.ack, .rst]), link: .raw, milliseconds: 2).isEmpty)
        #expect(reassembly.tally.ignoredSegments == 1)
        #expect(reassembly.add(toServer(4, "", [.ack, .rst]), link: .raw, milliseconds: 2).map(\.bytes) == [Array("bye".utf8)])
        #expect(reassembly.finish().isEmpty)
    }

    private func toClient(_ sequence: UInt32, acknowledged: UInt32, _ text: String, _ flags: NetworkFrame.Flags = .ack) -> [UInt8] {
        NetworkFrame.tcp(from: server, to: client, sequence: sequence, acknowledged: acknowledged, flags: flags, Array(text.utf8))
    }

    @Test func `the ports again after a SYN without answer`() {
        let found = streams([
            toServer(500_000_000, "", .syn), toServer(500_000_000, "", .syn), toServer(1000, "", .syn), toServer(1001, "GET /"),
        ])
        #expect(found.map { String(decoding: $0.bytes, as: UTF8.self) } == ["GET /"] && found.map(\.isIncomplete) == [false])
    }

    @Test func `the ports again when the server alone has sent something`() {
        let found = streams([
            toServer(900_000, "", .syn), toClient(800_000, acknowledged: 900_001, "", [.syn, .ack]),
            toClient(800_001, acknowledged: 900_001, "220 ready"), toServer(1000, "", .syn),
            toClient(9000, acknowledged: 1001, "", [.syn, .ack]), toServer(1001, "GET /"),
        ])
        #expect(found.map { String(decoding: $0.bytes, as: UTF8.self) } == ["220 ready", "GET /"])
        #expect(found.map(\.direction) == [.toClient, .toServer])
    }

    @Test func `a connection is not divided by a SYN that nobody answers`() {
        let found = streams([toServer(100, "", .syn), toServer(101, "GET "), toServer(7_000_000, "", .syn), toServer(105, "/")])
        #expect(found.map { String(decoding: $0.bytes, as: UTF8.self) } == ["GET /"])
    }

    @Test func `memory is bounded`() {
        let bounds = ReassemblyBounds(part: 4, overlap: 2, flows: 2)
        let frames = (0..<5).map { NetworkFrame.tcp(from: (1, 5000 + UInt16($0)), to: server, sequence: 7, Array("123456".utf8)) }
        let found = streams(frames, bounds: bounds)
        for port in UInt16(5000)...5004 {
            let parts = found.filter { $0.client.port == port }
            #expect(parts.map { String(decoding: $0.bytes, as: UTF8.self) } == ["1234", "3456"])
            #expect(parts.map(\.isIncomplete) == [true, false])
        }
        #expect(found.count == 10)
    }
}

@Suite("Parsing of frames")
struct FrameTests {
    private let datagram = NetworkFrame.udpDatagram(from: 4000, to: 53, [1, 2, 3, 4, 5, 6, 7, 8, 9])

    @Test func `the packet is found behind every link type`() {
        let packet = NetworkFrame.ipv4(1, 2, inside: 17, datagram)
        let addresses = [UInt8](repeating: 2, count: 12)
        let frames: [(LinkType, [UInt8])] = [
            (.raw, packet), (.null, [2, 0, 0, 0] + packet), (.ethernet, addresses + [8, 0] + packet),
            (.ethernet, addresses + [0x81, 0, 0, 7, 8, 0] + packet),
            (.ethernet, addresses + [0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 8, 0] + packet),
            (.linuxCooked, [UInt8](repeating: 0, count: 14) + [8, 0] + packet),
            (.linuxCooked2, [8, 0] + [UInt8](repeating: 0, count: 18) + packet),
            // A VLAN's tag behind the header of `any`.
            (.linuxCooked2, [0x81, 0] + [UInt8](repeating: 0, count: 18) + [0, 42, 8, 0] + packet),
            (.linuxCooked, [UInt8](repeating: 0, count: 14) + [0x81, 0, 0, 42, 8, 0] + packet),
            (.ipv4, packet), (.rawBSD, packet), (.rawOpenBSD, packet), (.loop, [0, 0, 0, 2] + packet),
            (.ppp, [0xff, 3, 0, 0x21] + packet), (.ppp, [0x21] + packet), (.ciscoHDLC, [0x0f, 0, 8, 0] + packet),
            (.pppEthernet, [0x11, 0, 0, 1, 0, 0, 0, 0x21] + packet),
        ]
        for (link, frame) in frames {
            #expect(streams([frame], link: link).map(\.bytes) == [[1, 2, 3, 4, 5, 6, 7, 8, 9]], "\(link)")
        }
    }

    @Test func `datagrams have the direction of their flow`() {
        let answer = NetworkFrame.ipv4(2, 1, inside: 17, NetworkFrame.udpDatagram(from: 53, to: 4000, [7]))
        let found = streams([NetworkFrame.ipv4(1, 2, inside: 17, datagram), answer])
        #expect(found.map(\.direction) == [.toServer, .toClient])
        #expect(found.map(\.server.port) == [53, 53])
    }

    @Test func `fragments are put together in any order`() {
        // 17 bytes: 8, 8 and 1.
        let parts = [(0x2000, 0..<8), (0x2001, 8..<16), (0x0002, 16..<17)].map { field, range in
            NetworkFrame.ipv4(1, 2, inside: 17, Array(datagram[range]), fragment: (field, 77))
        }
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            #expect(streams(order.map { parts[$0] }).map(\.bytes) == [[1, 2, 3, 4, 5, 6, 7, 8, 9]])
        }
        #expect(streams([parts[0], parts[2]]).isEmpty)
    }

    @Test func `IPv6 is read behind its extension headers`() throws {
        let hopByHop: [UInt8] = [17, 0, 1, 4, 0, 0, 0, 0]
        let found = streams([NetworkFrame.ipv6(1, 2, next: 0, hopByHop + datagram)])
        #expect(found.map(\.bytes) == [[1, 2, 3, 4, 5, 6, 7, 8, 9]])
        #expect(found.first?.client.address == "2001:db8::1")
        let first = NetworkFrame.ipv6(1, 2, next: 44, [17, 0, 0, 1, 0, 0, 0, 9] + datagram[..<8])
        let last = NetworkFrame.ipv6(1, 2, next: 44, [17, 0, 0, 8, 0, 0, 0, 9] + datagram[8...])
        #expect(streams([last, first]).map(\.bytes) == [[1, 2, 3, 4, 5, 6, 7, 8, 9]])
    }

    @Test func `random frames do no harm`() {
        var random = SeededGenerator(seed: 5)
        let valid = [
            NetworkFrame.tcp(from: client, to: server, sequence: 1, flags: .syn, [1, 2, 3]), NetworkFrame.ipv4(1, 2, inside: 17, datagram),
            NetworkFrame.ipv6(1, 2, next: 44, [17, 0, 0, 1, 0, 0, 0, 9] + datagram),
        ]
        var reassembly = StreamReassembly(bounds: .init(part: 64, overlap: 16, flows: 16))
        var taken = 0
        for _ in 0..<20000 {
            var frame = valid.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                frame[Int.random(in: frame.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { frame.removeLast(Int.random(in: 0..<frame.count, using: &random)) }
            let link: LinkType = [.raw, .ethernet, .null, .linuxCooked, .linuxCooked2].randomElement(using: &random) ?? .raw
            taken += reassembly.add(frame, link: link, milliseconds: 0).count
        }
        taken += reassembly.finish().count
        #expect(taken > 100)
        #expect(reassembly.tally.skippedFrames > 100)
    }
}
