// SPDX-License-Identifier: Apache-2.0

import Captures
import StreamReassembly
import TestSupport
import WireMatching

/// Traffic that makes reassembly hold or look at most: what anybody who can reach the site can send.
extension WorstCases {
    /// In bytes: the last is more than a million flows.
    private static let flows = [1 << 20, 16 << 20, 64 << 20]

    static let captures: [WorstCase] =
        [
            traffic("capture-scan", "a SYN to a new flow in each frame", sizes: flows, steps: 10) { number in
                NetworkFrame.tcp(from: scanner(number), to: (2, 80), sequence: UInt32(number), flags: .syn)
            },
            traffic("capture-flows", "a byte of a new flow in each frame", sizes: flows, steps: 10, fixedMemory: 160 << 20) { number in
                NetworkFrame.tcp(from: scanner(number), to: (2, 80), sequence: UInt32(number), [7])
            },
            traffic("capture-holes", "a byte of one connection in each frame, none beside another", steps: 40) { number in
                NetworkFrame.tcp(from: (1, 4000), to: (2, 80), sequence: UInt32(1000 + 2 * number), [7])
            },
            traffic("capture-pages", "a byte in each frame, each on a page of its own", steps: 40) { number in
                NetworkFrame.tcp(from: (1, 4000), to: (2, 80), sequence: UInt32(1000 + 257 * number), [7])
            },
            traffic("capture-backwards", "a byte in each frame, the last one first", steps: 40) { number in
                NetworkFrame.tcp(from: (1, 4000), to: (2, 80), sequence: number == 0 ? 1000 : UInt32(0x3fff_ffff - number), [7])
            },
            traffic("capture-disputes", "the same bytes again and again, each time others", steps: 60) { number in
                NetworkFrame.tcp(
                    from: (1, 4000), to: (2, 80), sequence: UInt32(1000 + number / 4 * 8), [UInt8](repeating: UInt8(number & 3), count: 16))
            },
            traffic("capture-fragments", "fragments of 8 bytes, the last one first", steps: 20) { number in
                let (packet, place) = (number / 8190, 8189 - number % 8190)
                return NetworkFrame.ipv4(
                    1, 2, inside: 17, [UInt8](repeating: 7, count: 8), fragment: (place | (place == 8189 ? 0 : 0x2000), packet & 0xffff))
            },
            traffic("capture-packets", "the first fragment of a new packet in each frame", steps: 20) { number in
                NetworkFrame.ipv4(
                    UInt8(number >> 16 & 0xff), 2, inside: 17, [UInt8](repeating: 7, count: 8), fragment: (0x2000, number & 0xffff))
            },
            traffic("capture-empty-fragments", "fragments without a byte", steps: 10) { number in
                NetworkFrame.ipv4(1, 2, inside: 17, [], fragment: (0x2000 | number & 0x1fff, 7))
            },
            traffic("capture-labels", "frames of labels within labels", steps: 10) { number in
                [UInt8](repeating: 2, count: 12) + [0x88, 0x47] + [UInt8](repeating: 0, count: 1200) + [0, 1, 1, 64]
                    + NetworkFrame.ipv4(1, 2, inside: 17, NetworkFrame.udpDatagram(from: 1, to: UInt16(number & 0xffff), [7]))
            },
        ] + sleds

    private static let sleds: [WorstCase] = [1, 4, 5, 100].map { period in
        WorstCase(
            name: "wire-sled-\(period)", what: "a sled of \(period) bytes and a shell code, in a stream of such sleds: WireMatcher",
            maxSteps: 100, maxMemory: 4,
            make: { size, _ in
                let sled = (0..<8000).map { UInt8($0 % period) }
                let code = sled + (0..<192).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }
                let stream = (0..<size / sled.count).flatMap { $0 % 8 == 7 ? code : sled }
                let matcher = WireMatcher(of: code)
                return WorstCase.Input(bytes: stream.count) {
                    let (spans, work) = matcher.search(stream)
                    if !spans.contains(where: { $0.code.upperBound == code.count }) { broken("a code on the wire that is not found") }
                    return work
                }
            })
    }

    /// - Parameter frame: made by its number, of an Ethernet interface where it begins with a 2, else of raw IP.
    private static func traffic(
        _ name: String, _ what: String, sizes: [Int] = [1 << 20, 16 << 20], steps: Double, fixedMemory: Int = 96 << 20,
        _ frame: @escaping @Sendable (Int) -> [UInt8]
    ) -> WorstCase {
        WorstCase(
            name: name, what: "\(what): CaptureReader", sizes: sizes, maxSteps: steps, maxMemory: 1, fixedMemory: fixedMemory,
            maxNanoseconds: 2000,
            make: { size, scratch in
                var frames: [[UInt8]] = []
                var bytes = 0
                while bytes < size {
                    frames.append(frame(frames.count))
                    bytes += 16 + frames[frames.count - 1].count
                }
                let path = try scratch.write(NetworkFrame.capture(frames, link: frames[0][0] == 2 ? 1 : 101), to: "\(name).pcap")
                let count = frames.count
                return WorstCase.Input(bytes: bytes) {
                    let summary = try CaptureReader.streams(in: path) { _ in true }
                    if summary.frames != count || summary.end != .whole { broken("a capture that is not read to its end") }
                    return summary.work
                }
            })
    }

    private static func scanner(_ number: Int) -> (host: UInt8, port: UInt16) {
        (UInt8(3 + number / 60_000 % 250), UInt16(1024 + number % 60_000))
    }
}
