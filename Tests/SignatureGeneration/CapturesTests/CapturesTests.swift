// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import Foundation
import StreamReassembly
import TestSupport
import Testing

@Suite("Captures")
struct CapturesTests {
    private let frames = [
        NetworkFrame.ipv4(1, 2, inside: 17, NetworkFrame.udpDatagram(from: 4000, to: 53, [1, 2, 3])),
        NetworkFrame.tcp(from: (1, 5000), to: (2, 80), sequence: 1, Array("GET /".utf8)),
    ]

    private func read(_ path: String) throws -> (streams: [CapturedStream], summary: CaptureReader.Summary) {
        var streams: [CapturedStream] = []
        let summary = try CaptureReader.streams(in: path) {
            streams.append($0)
            return true
        }
        return (streams, summary)
    }

    @Test func `the streams of a file are read`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.pcap"
        try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: path))
        let (streams, summary) = try read(path)
        #expect(streams.map(\.bytes) == [[1, 2, 3], Array("GET /".utf8)])
        #expect(streams[0].firstMilliseconds == 1_700_000_000_000)
        #expect(summary.frames == 2 && !summary.isCutShort)
    }

    @Test func `a file that is being written is read up to its end`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.pcap"
        try Data(NetworkFrame.capture(frames, link: 101).dropLast(3)).write(to: URL(fileURLWithPath: path))
        let (streams, summary) = try read(path)
        #expect(streams.map(\.bytes) == [[1, 2, 3]])
        #expect(summary.isCutShort)
    }

    @Test func `what gzip has compressed is read, as one file or several in a row`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.pcap.gz"
        // More than is decompressed at a time.
        let part = [UInt8](repeating: 0x41, count: 1000)
        let long = (0..<900).map { NetworkFrame.tcp(from: (1, 5000), to: (2, 80), sequence: UInt32($0 * 1000), part) }
        let capture = NetworkFrame.capture(frames + long, link: 101)
        let packed = try await HTTPText.gzip(capture)
        let inTwo = try await HTTPText.gzip(Array(capture.prefix(700_001))) + HTTPText.gzip(Array(capture.dropFirst(700_001)))
        let plain = folder.path + "/a.pcap"
        try Data(capture).write(to: URL(fileURLWithPath: plain))
        for bytes in [packed, inTwo] {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            let (streams, summary) = try read(path)
            #expect(streams == (try read(plain).streams))
            #expect(summary.frames == 902 && summary.end == .whole)
            #expect(!CaptureReader.isOther(path))
        }
        try Data(packed.dropLast(20)).write(to: URL(fileURLWithPath: path))
        #expect(try read(path).summary.end == .cut)
        var damaged = packed
        for place in damaged.count / 2..<damaged.count / 2 + 20 { damaged[place] ^= 0x5a }
        try Data(damaged).write(to: URL(fileURLWithPath: path))
        #expect(try [.failed, .cut].contains(read(path).summary.end))
    }

    @Test func `a file that begins as no capture does is none, and one that can't be read is not known`() async throws {
        let folder = try TemporaryFolder()
        func isOther(_ bytes: [UInt8]) throws -> Bool {
            try Data(bytes).write(to: URL(fileURLWithPath: folder.path + "/file"))
            return CaptureReader.isOther(folder.path + "/file")
        }
        #expect(try isOther(Array("{\"event_type\": \"flow\"}".utf8)))
        #expect(try isOther([0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7]), "lz4")
        #expect(try await isOther(HTTPText.gzip(Array("a log".utf8))))
        #expect(try !isOther(NetworkFrame.capture(frames, link: 101)))
        #expect(try !isOther(NetworkFrame.capture(frames, link: 250)), "of a link type that isn't known")
        #expect(try !isOther([]))
        #expect(!CaptureReader.isOther(folder.path + "/none"))
        #expect(!CaptureReader.isOther(folder.path))
    }

    @Test func `reading stops when the body returns false`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.pcap"
        try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: path))
        var count = 0
        try CaptureReader.streams(in: path) { _ in
            count += 1
            return false
        }
        #expect(count == 1)
    }

    @Test func `a capture set is read from its oldest file`() throws {
        let folder = try TemporaryFolder()
        for (index, name) in ["log.pcap.9", "log.pcap.10", "other"].enumerated() {
            let path = folder.path + "/" + name
            try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1000 + Double(index))], ofItemAtPath: path)
        }
        let ring = try CaptureReader.files(of: folder.path + "/log.pcap.*")
        #expect(ring.map { $0.split(separator: "/").last } == ["log.pcap.9", "log.pcap.10"])
        #expect(try CaptureReader.files(of: folder.path).count == 3)
        #expect(try CaptureReader.files(of: ring[0]) == [ring[0]])
    }

    @Test func `a file that is not a capture is rejected`() throws {
        let folder = try TemporaryFolder()
        let text = folder.path + "/a.txt"
        try Data("no capture at all, just text".utf8).write(to: URL(fileURLWithPath: text))
        let odd = folder.path + "/b.pcap"
        try Data(NetworkFrame.capture(frames, link: 105)).write(to: URL(fileURLWithPath: odd))
        for path in [text, odd, folder.path + "/missing"] {
            let error = #expect(throws: EpitopeError.self) { try read(path) }
            #expect(error?.code == .captureUnreadable)
        }
        let error = #expect(throws: EpitopeError.self) { try CaptureReader.files(of: folder.path + "/none*") }
        #expect(error?.code == .captureUnreadable)
    }

    /// pcapng whose interface states an offset of 0xf6 << 56 seconds; found by fuzzing.
    @Test func `an impossible time is clamped to the year 9999`() throws {
        let bytes = try #require(
            Hex.decode(
                "0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000010000002c0000000100000000000400090001000900"
                    + "00000e000800010000000000f600000000002c000000060000008c00000000000000a1fc0500785634126a0000006a000000"
                    + "02000000000202000000000108004500005c00000000401100000a0000010a0000029c40059a004800000001020304050607"
                    + "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30313233343536373839"
                    + "3a3b3c3d3e3f00008c000000"))
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.pcapng"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let (streams, summary) = try read(path)
        #expect(summary.frames == 1)
        // The year 0, or 9999.
        #expect(streams.map { $0.firstMilliseconds / 1000 == -62_167_219_200 || $0.firstMilliseconds / 1000 == 253_402_300_799 } == [true])
    }
}
