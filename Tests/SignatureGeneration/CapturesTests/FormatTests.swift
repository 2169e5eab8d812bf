// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import Foundation
import StreamReassembly
import TestSupport
import Testing

/// Files as recorders and other programs write them, whole and damaged.
@Suite("Formats of captures") struct FormatTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private struct Read {
        var texts: [String] = []
        var milliseconds: [Int64] = []
        var summary = CaptureReader.Summary()
    }

    private func read(_ bytes: [UInt8], deadline: ContinuousClock.Instant? = nil) throws -> Read {
        let path = folder.path + "/capture"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        var read = Read()
        read.summary = try CaptureReader.streams(in: path, deadline: deadline) { stream in
            read.texts.append(String(decoding: stream.bytes, as: UTF8.self))
            read.milliseconds.append(stream.firstMilliseconds)
            return true
        }
        return read
    }

    // MARK: pcapng

    private func number(_ value: Int, _ count: Int, big: Bool = false) -> [UInt8] {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        return big ? bytes.reversed() : bytes
    }

    private func block(_ type: Int, _ body: [UInt8], big: Bool = false) -> [UInt8] {
        let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        let length = number(padded.count + 12, 4, big: big)
        return number(type, 4, big: big) + length + padded + length
    }

    private func section(big: Bool = false) -> [UInt8] {
        block(
            0x0a0d_0d0a, number(0x1a2b_3c4d, 4, big: big) + number(1, 2, big: big) + [0, 0] + [UInt8](repeating: 0xff, count: 8), big: big)
    }

    private func interface(_ link: Int, snapshot: Int = 262144, options: [UInt8] = [], big: Bool = false) -> [UInt8] {
        block(1, number(link, 2, big: big) + [0, 0] + number(snapshot, 4, big: big) + options, big: big)
    }

    private func packet(_ interface: Int, _ frame: [UInt8], units: Int = 0, whole: Int? = nil, big: Bool = false) -> [UInt8] {
        let time = number(units >> 32, 4, big: big) + number(units, 4, big: big)
        let lengths = number(frame.count, 4, big: big) + number(whole ?? frame.count, 4, big: big)
        return block(6, number(interface, 4, big: big) + time + lengths + frame, big: big)
    }

    private func datagram(_ text: String) -> [UInt8] {
        NetworkFrame.ipv4(1, 2, inside: 17, NetworkFrame.udpDatagram(from: 4000, to: 53, Array(text.utf8)))
    }

    private func ethernet(_ packet: [UInt8]) -> [UInt8] { [UInt8](repeating: 2, count: 12) + [8, 0] + packet }

    @Test func `interfaces have link types and snapshot lengths of their own and come at any time`() throws {
        let cooked = [UInt8](repeating: 0, count: 14) + [8, 0] + datagram("three")
        let file = [
            section(), interface(1, snapshot: 262144), packet(0, ethernet(datagram("one"))), interface(101, snapshot: 65535),
            packet(1, datagram("two")), interface(113), packet(2, cooked), packet(0, ethernet(datagram("four"))),
        ].flatMap { $0 }
        let read = try read(file)
        #expect(read.texts == ["one", "two", "three", "four"] && read.summary.end == .whole && read.summary.frames == 4)
    }

    @Test func `frames of a link type that is not read are counted and the others are read`() throws {
        let read = try read(section() + interface(147) + interface(101) + packet(0, [1, 2, 3]) + packet(1, datagram("text")))
        #expect(read.texts == ["text"] && read.summary.tally.skipped == ["link type 147": 1])
    }

    @Test func `sections of either order of bytes follow each other`() throws {
        let read = try read(
            section() + interface(101) + packet(0, datagram("little")) + section(big: true) + interface(101, big: true)
                + packet(0, datagram("big"), big: true))
        #expect(read.texts == ["little", "big"] && read.summary.end == .whole)
    }

    /// The unit of times: microseconds without the option, 10 to the minus N, 2 to the minus N; and their offset.
    @Test(arguments: [
        ([], 1_500_000, 1500), ([9, 0, 1, 0, 9, 0, 0, 0], 1_500_000_000, 1500), ([9, 0, 1, 0, 3, 0, 0, 0], 1500, 1500),
        ([9, 0, 1, 0, 0, 0, 0, 0], 2, 2000), ([9, 0, 1, 0, 0x81, 0, 0, 0], 3, 1500), ([9, 0, 1, 0, 0x8a, 0, 0, 0], 1536, 1500),
        ([14, 0, 8, 0, 10, 0, 0, 0, 0, 0, 0, 0], 1_500_000, 11500), ([9, 0, 1, 0, 0x7f, 0, 0, 0], 5, 0),
    ]) func `times are read in their unit`(options: [Int], units: Int, milliseconds: Int) throws {
        let read = try read(section() + interface(101, options: options.map { UInt8($0) }) + packet(0, datagram("t"), units: units))
        #expect(read.milliseconds == [Int64(milliseconds)])
    }

    @Test func `a damaged block ends the reading with its reason and what came before counts`() throws {
        let good = section() + interface(101) + packet(0, datagram("good"))
        var differing = packet(0, datagram("bad"))
        differing[differing.count - 4] ^= 4
        let cases: [([UInt8], String)] = [
            (differing, "lengths"), (packet(7, datagram("bad")), "interface 7"), (number(6, 4) + number(0x7fff_fff0, 4), "damaged"),
            (number(6, 4) + number(8, 4), "damaged"), (packet(0, datagram("bad")).dropLast(3), "ends within"),
        ]
        for (rest, reason) in cases {
            let read = try read(good + rest)
            #expect(read.texts == ["good"] && read.summary.frames == 1, "\(reason)")
            #expect(read.summary.failure?.contains(reason) == true, "\(read.summary)")
            #expect(read.summary.end == (reason == "ends within" ? .cut : .failed))
        }
    }

    // MARK: pcap

    /// Jumbo frames of loopback and of segmentation offload.
    @Test func `a frame of more than a quarter of a mebibyte is passed over or read like any other`() throws {
        let jumbo = [UInt8](repeating: 0, count: 300_000)
        let read = try read(NetworkFrame.capture([jumbo, datagram("behind it")], link: 101))
        #expect(read.texts == ["behind it"] && read.summary.frames == 2 && read.summary.end == .whole)
    }

    @Test func `nanoseconds and the other order of bytes`() throws {
        let frame = datagram("text")
        let header = number(0xa1b2_3c4d, 4, big: true) + number(2, 2, big: true) + number(4, 2, big: true)
        let lengths = number(frame.count, 4, big: true) + number(frame.count, 4, big: true)
        let read = try read(
            header + [UInt8](repeating: 0, count: 12) + number(101, 4, big: true) + number(7, 4, big: true)
                + number(999_999_999, 4, big: true) + lengths + frame)
        #expect(read.texts == ["text"] && read.milliseconds == [7999])
    }

    @Test func `a frame of an impossible length ends the reading`() throws {
        var file = NetworkFrame.capture([datagram("first"), datagram("second")], link: 101)
        let second = 24 + 16 + datagram("first").count
        file.replaceSubrange(second + 8..<second + 12, with: [0xff, 0xff, 0xff, 0x7f])
        let read = try read(file)
        #expect(read.texts == ["first"] && read.summary.end == .failed && read.summary.frames == 1)
        #expect(read.summary.failure?.contains("2147483647") == true)
    }

    @Test func `a packet of which the capture has only the beginning is read as far as it goes`() throws {
        let whole = datagram("a long text")
        let read = try read(section() + interface(101) + packet(0, Array(whole.dropLast(4)), whole: whole.count))
        #expect(read.texts == ["a long "])
        // The same packet, said to be whole: its receiver drops it.
        #expect(try self.read(section() + interface(101) + packet(0, Array(whole.dropLast(4)))).texts == [])
    }

    @Test(arguments: [0, 3, 23]) func `a file without a whole header is empty as yet`(length: Int) throws {
        let error = #expect(throws: EpitopeError.self) { try read(Array(NetworkFrame.capture([], link: 1).prefix(length))) }
        #expect(error?.code == .captureEmpty)
        #expect(try read(NetworkFrame.capture([], link: 1)).summary.frames == 0)
    }

    @Test func `reading ends when its time is over`() throws {
        let file = NetworkFrame.capture([datagram("one")], link: 101)
        let late = try read(file, deadline: .now - .seconds(1))
        #expect(late.texts == [] && late.summary.end == .failed && late.summary.failure?.contains("time") == true)
        #expect(try read(file, deadline: .now + .seconds(3600)).texts == ["one"])
    }
}
