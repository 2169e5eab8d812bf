// SPDX-License-Identifier: Apache-2.0

import StreamReassembly
import TestSupport
import Testing

/// Where segments and fragments disagree, and where streams are divided.
@Suite("Versions and parts of streams") struct OverlapTests {
    private func streams(_ frames: [[UInt8]], bounds: ReassemblyBounds = .init()) -> [CapturedStream] {
        var reassembly = StreamReassembly(bounds: bounds)
        return frames.flatMap { reassembly.add($0, link: .raw, milliseconds: 0) } + reassembly.finish()
    }

    private func sent(_ sequence: UInt32, _ text: String, _ flags: NetworkFrame.Flags = .ack) -> [UInt8] {
        NetworkFrame.tcp(from: (1, 40000), to: (2, 80), sequence: sequence, flags: flags, Array(text.utf8))
    }

    private func text(_ stream: CapturedStream) -> String { String(decoding: stream.bytes, as: UTF8.self) }

    @Test func `both versions of an overlap are streams`() {
        let found = streams([sent(0, "", .syn), sent(1, "abc"), sent(1, "XYZdef"), sent(7, "g")])
        #expect(found.map(text) == ["abcdefg", "XYZdefg"])
        #expect(found.map(\.version) == [.earlier, .later])
        #expect(Set(found.map(\.number)).count == 1 && found.map(\.isContinued) == [false, true])
    }

    @Test func `both versions of an overlap ahead are streams`() {
        let found = streams([sent(0, "", .syn), sent(4, "def"), sent(4, "DEF"), sent(1, "abc")])
        #expect(found.map(text) == ["abcdef", "abcDEF"])
    }

    @Test func `a third version is handed on as its segment`() {
        let found = streams([sent(0, "", .syn), sent(1, "abcdef"), sent(3, "XX"), sent(3, "YYY")])
        #expect(Set(found.map(text)) == ["abcdef", "abYYYf", "YYY"])
        #expect(found.first { $0.version == .segment }?.offset == 2)
    }

    @Test func `what the receiver acknowledged is not taken again`() {
        let answer = NetworkFrame.tcp(from: (2, 80), to: (1, 40000), sequence: 500, acknowledged: 4)
        let first = NetworkFrame.tcp(from: (2, 80), to: (1, 40000), sequence: 500, acknowledged: 4, Array("hello".utf8))
        let found = streams([sent(0, "", .syn), sent(1, "abc"), first, answer, sent(1, "XYZ"), sent(4, "def")])
        #expect(found.map(text) == ["abcdef", "hello"])
    }

    @Test func `a part begins with the end of the one before`() {
        let bounds = ReassemblyBounds(part: 10, overlap: 4)
        let found = streams([sent(0, "", .syn)] + (0..<6).map { sent(UInt32(1 + 5 * $0), "abcd\($0)") }, bounds: bounds)
        #expect(found.map(text) == ["abcd0abcd1", "bcd1abcd2abcd3", "bcd3abcd4abcd5"])
        #expect(found.map(\.offset) == [0, 6, 16] && found.map(\.overlap) == [0, 4, 4])
        #expect(found.map(\.isContinued) == [false, true, true])
    }

    @Test func `fragments that disagree are packets in every way that systems take them`() {
        func fragment(_ field: Int, _ bytes: [UInt8]) -> [UInt8] { NetworkFrame.ipv4(1, 2, inside: 17, bytes, fragment: (field, 7)) }
        let header: [UInt8] = [0, 9, 0, 9, 0, 24, 0, 0]
        let (ones, twos) = ([UInt8](repeating: 1, count: 8), [UInt8](repeating: 2, count: 8))
        let found = streams([fragment(0x2000, header), fragment(0x2001, ones), fragment(0x2001, twos), fragment(2, ones)])
        #expect(Set(found.map(\.bytes)) == [ones + ones, twos + ones])
    }

    @Test func `fragments whose first version is malformed hide no other one`() {
        func fragment(_ field: Int, _ bytes: [UInt8]) -> [UInt8] { NetworkFrame.ipv4(1, 2, inside: 6, bytes, fragment: (field, 7)) }
        let packet = Array(NetworkFrame.tcp(from: (1, 4000), to: (2, 80), sequence: 1, Array("0123456789abcdef".utf8)).dropFirst(20))
        let junk = [UInt8](repeating: 0x4a, count: 24)
        let found = streams([fragment(0x2000, junk), fragment(0x2000, Array(packet[..<24])), fragment(3, Array(packet[24...]))])
        #expect(found.map(text) == ["0123456789abcdef"])
    }

    @Test func `data that acknowledge what is captured later wait for it`() {
        func answer(_ sequence: UInt32, _ text: String, _ flags: NetworkFrame.Flags = .ack) -> [UInt8] {
            NetworkFrame.tcp(from: (2, 80), to: (1, 40000), sequence: sequence, acknowledged: 1, flags: flags, Array(text.utf8))
        }
        func request(_ sequence: UInt32, _ text: String, acknowledged: UInt32) -> [UInt8] {
            NetworkFrame.tcp(from: (1, 40000), to: (2, 80), sequence: sequence, acknowledged: acknowledged, Array(text.utf8))
        }
        let opened = [sent(0, "", .syn), answer(500, "", [.syn, .ack])]
        let late = streams(opened + [request(1, "abc", acknowledged: 506), request(4, "def", acknowledged: 506), answer(501, "hello")])
        #expect(Set(late.map(text)) == ["abcdef", "hello"])
        let never = streams(opened + [request(1, "XYZ", acknowledged: 9999), request(1, "abc", acknowledged: 501), answer(501, "hello")])
        #expect(Set(never.map(text)) == ["abc", "XYZ", "hello"])
        #expect(never.first { text($0) == "XYZ" }?.version == .segment)
    }

    @Test func `packets of which the capture has only the beginning are counted`() {
        var reassembly = StreamReassembly()
        let frame = sent(1, "abcdefghijkl")
        _ = reassembly.add(Array(frame.dropLast(4)), link: .raw, milliseconds: 0, isCut: true)
        #expect(reassembly.tally.cutPackets == 1)
    }

    @Test func `a fragment behind the last one is not part of the packet`() {
        let datagram = NetworkFrame.udpDatagram(from: 1, to: 2, [UInt8](0..<16))
        let parts = [(5, 0..<8), (0x2009, 0..<8), (0x2001, 8..<16), (0x2000, 0..<8), (2, 16..<24)].map { field, range in
            NetworkFrame.ipv4(1, 2, inside: 17, Array(datagram[range]), fragment: (field, 7))
        }
        // The first that says it is the last one counts, wherever others lie.
        #expect(streams(parts).isEmpty)
        #expect(streams([parts[4], parts[1], parts[2], parts[3]]).map(\.bytes) == [[UInt8](0..<16)])
    }

    @Test func `fragments of another minute are not mixed`() {
        let datagram = NetworkFrame.udpDatagram(from: 1, to: 2, [UInt8](0..<16))
        let parts = [(0x2000, 0..<8), (1, 8..<24)].map { field, range in
            NetworkFrame.ipv4(1, 2, inside: 17, Array(datagram[range]), fragment: (field, 7))
        }
        var reassembly = StreamReassembly()
        #expect(reassembly.add(parts[0], link: .raw, milliseconds: 0).isEmpty)
        #expect(reassembly.add(parts[1], link: .raw, milliseconds: 61_000).isEmpty)
        _ = reassembly.finish()
        #expect(reassembly.tally.lostFragments == 2)
    }

    @Test func `frames that are no streams are counted by what they are`() {
        var reassembly = StreamReassembly()
        let ethernet = [UInt8](repeating: 2, count: 12)
        _ = reassembly.add(ethernet + [8, 6, 0, 1, 8, 0], link: .ethernet, milliseconds: 0)
        _ = reassembly.add(NetworkFrame.ipv4(1, 2, inside: 1, [8, 0]), link: .raw, milliseconds: 0)
        _ = reassembly.add([], link: .raw, milliseconds: 0)
        reassembly.skip(link: 147)
        // Frames of bridges: a length, and LLC.
        for length in [38, 46] {
            _ = reassembly.add(
                ethernet + [0, UInt8(length), 0x42, 0x42, 3] + [UInt8](repeating: 0, count: length - 3), link: .ethernet, milliseconds: 0)
        }
        #expect(
            reassembly.tally.skipped == [
                "IEEE 802.3 without an EtherType": 2, "EtherType 0x0806": 1, "IP protocol 1": 1, "truncated or malformed": 1,
                "link type 147": 1,
            ])
        for number in 0..<1000 { reassembly.skip(link: 1000 + number) }
        #expect(reassembly.tally.skipped.count < 30 && reassembly.tally.skippedFrames == 1006)
    }
}
