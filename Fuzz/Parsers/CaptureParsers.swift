// SPDX-License-Identifier: Apache-2.0

import Captures
import StreamReassembly

extension FuzzParser {
    /// Capture files.
    static let captures = FuzzParser(
        name: "captures", what: "pcap and pcapng files to streams",
        dictionary: dictionary + [
            [0x0a, 0x0d, 0x0d, 0x0a], [0xa1, 0xb2, 0xc3, 0xd4], [0xd4, 0xc3, 0xb2, 0xa1], [0x4d, 0x3c, 0x2b, 0x1a],
        ],
        seeds: { _ in CaptureSeeds.all },
        run: { input, scratch in
            let path = try scratch.write(input, to: "capture")
            // Narrow bounds also exercise the code that enforces them.
            let bounds = input.count % 2 == 0 ? ReassemblyBounds() : ReassemblyBounds(part: 64, overlap: 16, flows: 2)
            try CaptureReader.streams(in: path, bounds: bounds) { stream in
                if stream.bytes.count > max(bounds.part + bounds.overlap + 1, 65535) { broken("a stream is longer than its bound") }
                return true
            }
        })

    /// Frames without a file: the first byte is the link type, then each frame follows two bytes of its length.
    static let frames = FuzzParser(
        name: "frames", what: "frames of every link type to streams", dictionary: dictionary,
        seeds: { _ in
            FrameSeeds.links.indices.flatMap { link in
                (0...2).map { tags in
                    FrameSeeds.packets.reduce([UInt8(link)]) { all, packet in
                        let frame = FrameSeeds.frame(packet, link: FrameSeeds.links[link], tags: tags)
                        return all + ByteOrder.little(UInt64(frame.count), 2) + frame
                    }
                }
            }
        },
        run: { input, _ in
            guard let first = input.first else { throw Refusal("empty") }
            let link = FrameSeeds.links[Int(first & 0x7f) % FrameSeeds.links.count]
            var reassembly = StreamReassembly(bounds: first & 0x80 == 0 ? .init() : .init(part: 64, overlap: 16, flows: 2))
            var place = 1
            var number: Int64 = 0
            while place + 2 <= input.count {
                let length = min(Int(input[place]) | Int(input[place + 1]) << 8, input.count - place - 2)
                // Times may decrease, and have any value.
                let time = number % 5 == 4 ? Int64.max - number : number
                _ = reassembly.add(Array(input[place + 2..<place + 2 + length]), link: link, milliseconds: time)
                place += 2 + length
                number += 1
            }
            _ = reassembly.finish()
            if reassembly.tally.skippedFrames == number { throw Refusal("nothing-put-together") }
        })

    /// EtherTypes, first bytes of headers, and numbers of extension headers.
    private static let dictionary: [[UInt8]] = [
        [0x81, 0], [0x88, 0xa8], [8, 0], [0x86, 0xdd], [0x45, 0], [0x4f, 0], [0x60, 0, 0, 0], [44, 0], [51, 0], [0, 0xff], [60, 0],
        [0x20, 0], [0x3f, 0xff], [0x1f, 0xff],
    ]
}
