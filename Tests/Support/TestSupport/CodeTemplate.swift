// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Bytes in the shape of instructions, of which variants differ as recompiled or mutated code does. They are data: made
/// up, put together from pieces, matched, and never run.
public struct CodeTemplate: Sendable {
    public indirect enum Piece: Sendable {
        /// The same in every variant.
        case fixed([UInt8])
        /// An operand or constant: so many random bytes.
        case operand(Int)
        /// One of several encodings.
        case either([[UInt8]])
        /// Up to so many instructions that do nothing.
        case filler(ClosedRange<Int>)
        /// The pieces in any order.
        case anyOrder([[Piece]])
        /// A body that differs throughout: as many random bytes.
        case body(ClosedRange<Int>)
        /// The call; the caller's address is right after it.
        case call([UInt8])
    }

    /// A variant as a center would get it: the region whole, between random bytes.
    public struct Variant: Sendable {
        public var code: ExtractedCode
        public var callersAddress: UInt64
        public var architecture: Architecture
    }

    public var name: String
    /// What differs between the variants, for a table.
    public var varies: String
    var architecture: Architecture
    var pieces: [Piece]

    public func variant(_ random: inout SeededGenerator) -> Variant {
        var bytes = random.bytes(0...96)
        if architecture == .arm64 { bytes.removeLast(bytes.count % 4) }
        var caller = bytes.count
        for piece in pieces {
            bytes += render(piece, &random)
            if case .call = piece { caller = bytes.count }
        }
        bytes += random.bytes(16...160)
        let base: UInt64 = 0x7f00_0000_0000 + UInt64(Int.random(in: 0...0xffff, using: &random)) << 12
        return Variant(
            code: ExtractedCode(base: base, bytes: bytes, isWholeRegion: true), callersAddress: base + UInt64(caller),
            architecture: architecture)
    }

    private func render(_ piece: Piece, _ random: inout SeededGenerator) -> [UInt8] {
        switch piece {
        case .fixed(let bytes), .call(let bytes): return bytes
        case .operand(let count): return random.bytes(count)
        case .either(let choices): return choices[Int.random(in: choices.indices, using: &random)]
        case .filler(let count):
            return (0..<Int.random(in: count, using: &random)).flatMap { _ in
                Self.fillers[Int.random(in: Self.fillers.indices, using: &random)]
            }
        case .anyOrder(let groups):
            return groups.shuffled(using: &random).flatMap { group in group.flatMap { render($0, &random) } }
        case .body(let count): return random.bytes(count)
        }
    }

    private static let fillers: [[UInt8]] = [
        [0x90], [0x66, 0x90], [0x0f, 0x1f, 0x00], [0x48, 0x89, 0xc0], [0x4d, 0x87, 0xc9], [0xf8], [0xf5, 0xf5],
    ]
}
