// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import PacketCoding
import TestSupport

/// A packet encoded once, in which the id and the code are replaced: the generator shares the machine with the center, and
/// should need little of it.
struct PacketTemplate: Sendable {
    private let bytes: [UInt8]
    private let id: Int
    private let code: Range<Int>
    private let head: [UInt8]

    /// - Parameter codeBytes: 96 to 8,192.
    init(codeBytes: Int) {
        // A marker that occurs nowhere else, then replaced in place.
        let idMarker = "f0e1d2c3b4a5968778695a4b3c2d1e0f"
        let codeMarker = (0..<codeBytes).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) }
        var packet = Samples.packet(id: idMarker, hostID: nil)
        packet.content = .code(ExtractedCode(base: 0x7f00_0000_1000, bytes: codeMarker, isWholeRegion: true))
        packet.callersAddress = 0x7f00_0000_1000 + UInt64(codeBytes / 2)
        packet.evidence = [Evidence(kind: .directCall, detail: "load")]
        bytes = packet.encoded()
        id = Self.place(of: Array(idMarker.utf8), in: bytes)
        let start = Self.place(of: codeMarker, in: bytes)
        code = start..<(start + codeBytes)
        head = HTTPRequest.head(method: "POST", path: "/v1/packets", type: "application/x-protobuf", length: bytes.count)
    }

    /// The request that sends a packet.
    func request(id hex: [UInt8], code seed: UInt64, allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: head.count + bytes.count)
        buffer.writeBytes(head)
        buffer.writeBytes(encoded(id: hex, code: seed))
        return buffer
    }

    /// The packet with an id (32 hexadecimal digits) and the code of a seed: equal seeds, equal code.
    func encoded(id hex: [UInt8], code seed: UInt64) -> [UInt8] {
        var copy = bytes
        copy.replaceSubrange(id..<(id + hex.count), with: hex)
        var generator = SplitMix(state: seed)
        // The call lies in the middle, between two instructions.
        let call = code.lowerBound + code.count / 2
        copy.withUnsafeMutableBytes { raw in
            Self.fill(UnsafeMutableRawBufferPointer(rebasing: raw[code.lowerBound..<(call - 2)]), &generator)
            (raw[call - 2], raw[call - 1]) = (0x0f, 0x05)
            Self.fill(UnsafeMutableRawBufferPointer(rebasing: raw[call..<code.upperBound]), &generator)
        }
        return copy
    }

    /// Bytes in the shape of instructions between registers, three bytes each, drawn from 256: data that is never run. A center
    /// makes no signature of what is no code.
    private static let instructions: [(UInt8, UInt8, UInt8)] = (0..<256).map { number in
        let (prefixes, operations): ([UInt8], [UInt8]) = ([0x48, 0x49, 0x4c, 0x4d], [0x89, 0x85, 0x01, 0x31])
        return (prefixes[number >> 6], operations[number >> 4 & 3], 0xc1 | UInt8(number & 15) << 2)
    }

    private static func fill(_ raw: UnsafeMutableRawBufferPointer, _ generator: inout SplitMix) {
        // Pushes of a register where no whole instruction has room.
        let start = raw.count % 3
        for place in 0..<start { raw[place] = 0x50 }
        var (place, word, left) = (start, UInt64(0), 0)
        while place < raw.count {
            if left == 0 { (word, left) = (generator.next(), 8) }
            (raw[place], raw[place + 1], raw[place + 2]) = instructions[Int(word & 255)]
            (place, word, left) = (place + 3, word >> 8, left - 1)
        }
    }

    /// The id of a packet by its number within a run: unlike those of other numbers, in no order, as hosts make them.
    static func id(run: UInt64, number: UInt64) -> [UInt8] {
        var generator = SplitMix(state: run &+ number &* 0x9E37_79B9_7F4A_7C15)
        let words = [generator.next(), generator.next()]
        return words.flatMap { word in
            (0..<16).map { digit in
                let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * digit)) & 15
                return nibble < 10 ? 48 + nibble : 87 + nibble
            }
        }
    }

    private static func place(of part: [UInt8], in whole: [UInt8]) -> Int {
        for start in 0...(whole.count - part.count) where whole[start..<(start + part.count)].elementsEqual(part) { return start }
        preconditionFailure("the encoded packet doesn't hold its own id or code as it is")
    }
}

/// A generator with a state of its own: fast, and the same numbers from the same seed (Steele, Lea, Flood: "Fast Splittable
/// Pseudorandom Number Generators", OOPSLA 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
