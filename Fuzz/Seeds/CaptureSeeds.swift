// SPDX-License-Identifier: Apache-2.0

import StreamReassembly
import TestSupport

/// Captures in every format, and of every supported link type.
enum CaptureSeeds {
    static var all: [[UInt8]] {
        let packets = FrameSeeds.packets
        var seeds = FrameSeeds.links.map { link in
            NetworkFrame.capture(packets.map { FrameSeeds.frame($0, link: link) }, link: Int(link.rawValue))
        }
        for tags in 1...2 {
            seeds.append(NetworkFrame.capture(packets.map { FrameSeeds.frame($0, link: .ethernet, tags: tags) }, link: 1))
        }
        let ethernet = packets.map { FrameSeeds.frame($0, link: .ethernet) }
        seeds.append(CaptureFile.udp([[UInt8](0..<100), [], [1]], destinationPort: 1434))
        seeds.append(highestFirst(ethernet))
        seeds.append(nextGeneration(ethernet))
        return seeds
    }

    /// pcap with nanoseconds, in big endian.
    private static func highestFirst(_ frames: [[UInt8]]) -> [UInt8] {
        var file = ByteOrder.big(0xa1b2_3c4d, 4) + ByteOrder.big(2, 2) + ByteOrder.big(4, 2)
        file += ByteOrder.big(0, 8) + ByteOrder.big(65535, 4) + ByteOrder.big(1, 4)
        for frame in frames {
            file += ByteOrder.big(1_700_000_000, 4) + ByteOrder.big(999_999_999, 4)
            file += ByteOrder.big(UInt64(frame.count), 4) + ByteOrder.big(UInt64(frame.count), 4) + frame
        }
        return file
    }

    /// pcapng (draft-ietf-opsawg-pcapng): section, interface, packets of both kinds, statistics.
    private static func nextGeneration(_ frames: [[UInt8]]) -> [UInt8] {
        func block(_ type: UInt64, _ body: [UInt8]) -> [UInt8] {
            let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
            let length = ByteOrder.little(UInt64(padded.count + 12), 4)
            return ByteOrder.little(type, 4) + length + padded + length
        }
        let magic = ByteOrder.little(0x1a2b_3c4d, 4) + ByteOrder.little(1, 2) + ByteOrder.little(0, 2)
        var file = block(0x0a0d_0d0a, magic + [UInt8](repeating: 0xff, count: 8))
        // Options: times in nanoseconds, an offset of times.
        file += block(
            1,
            ByteOrder.little(1, 2) + [0, 0, 0, 0, 4, 0] + [9, 0, 1, 0, 9, 0, 0, 0] + [14, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0] + [0, 0, 0, 0])
        for (index, frame) in frames.enumerated() {
            let length = ByteOrder.little(UInt64(frame.count), 4)
            file +=
                index % 4 == 3
                ? block(3, length + frame)
                : block(
                    6,
                    ByteOrder.little(0, 4) + ByteOrder.little(0x0005_fca1, 4) + ByteOrder.little(0x1234_5678, 4) + length + length
                        + frame)
        }
        return file + block(5, ByteOrder.little(0, 12))
    }
}
