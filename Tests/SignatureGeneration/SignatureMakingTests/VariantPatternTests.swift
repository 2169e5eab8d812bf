// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing
import TokenSequences

@testable import SignatureMaking

/// Signatures of one or two samples hold for variants that differ as recompiled or mutated code does. All bytes are data that is
/// never run.
@Suite struct VariantPatternTests {
    /// What a variant is put together from.
    private enum Piece {
        case fixed([UInt8])
        case operand(Int)
        case filler
        case either([[UInt8]])
        case anyOrder([[UInt8]])
    }

    private static let fillers: [[UInt8]] = [
        [], [0x90], [0x66, 0x90], [0x0f, 0x1f, 0x00], [0x48, 0x89, 0xc0], [0x4d, 0x87, 0xc9], [0xf8], [0xf5, 0xf5], [0x57, 0x5f],
        [0x90, 0x90],
    ]
    private static let setUp = Piece.fixed([0x4c, 0x8d, 0x5c, 0x24, 0xe8, 0x49, 0x83, 0xeb, 0x10, 0x48, 0x85, 0xd2])
    private static let arguments = Piece.fixed([0x4c, 0x89, 0xdf, 0x48, 0x8d, 0x74, 0x24, 0x18, 0x41, 0x5a, 0x58])

    /// A call behind pieces, between random bytes.
    private func variant(_ pieces: [Piece], seed: UInt64) -> Sample {
        var random = SeededGenerator(seed: seed)
        func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
        var code = bytes(Int.random(in: 0...60, using: &random))
        for piece in pieces {
            switch piece {
            case .fixed(let fixed): code += fixed
            case .operand(let count): code += bytes(count)
            case .filler: for _ in 0..<3 { code += Self.fillers.randomElement(using: &random) ?? [] }
            case .either(let forms): code += forms.randomElement(using: &random) ?? []
            case .anyOrder(let steps): code += steps.shuffled(using: &random).flatMap(\.self)
            }
        }
        code += [0x0f, 0x05]
        let caller = UInt64(code.count)
        code += bytes(40)
        return Sample(
            code: ExtractedCode(base: 0x7f00_0000_0000, bytes: code, isWholeRegion: true), callersAddress: 0x7f00_0000_0000 + caller,
            architecture: .x86_64, context: .any)
    }

    /// How many of 60 unseen variants the best signature of so many samples matches.
    private func matched(_ pieces: [Piece], from count: Int, seed: UInt64) throws -> Int {
        let samples = (0..<count).map { variant(pieces, seed: seed * 100 + UInt64($0)) }
        let best = try #require(
            SignatureCandidates.signatures(for: samples, goodware: nil, benign: BenignPool(streams: [])).first)
        #expect(samples.allSatisfy { best.matches($0.code.bytes) })
        #expect(best.isSubstantial)
        return (0..<60).count { best.matches(variant(pieces, seed: 1_000_000 + seed * 1000 + UInt64($0)).code.bytes) }
    }

    @Test(arguments: [1, 2]) func `operands are not of the code`(count: Int) throws {
        let pieces = [
            Self.setUp, .fixed([0x48, 0xbf]), .operand(8), .fixed([0x48, 0x8d, 0x35]), .operand(4), .fixed([0x81, 0xf3]), .operand(4),
            .fixed([0x6a]), .operand(1), Self.arguments,
        ]
        for seed in 1...5 as ClosedRange<UInt64> { #expect(try matched(pieces, from: count, seed: seed) == 60) }
    }

    @Test(arguments: [1, 2]) func `nor are instructions that do nothing`(count: Int) throws {
        let pieces = [
            Self.setUp, .filler, .fixed([0x48, 0xc1, 0xe7, 0x08, 0x4c, 0x09, 0xd7]), .filler, Self.arguments, .filler,
            .fixed([0x83, 0xc0, 0x2a, 0x99]),
        ]
        for seed in 1...5 as ClosedRange<UInt64> { #expect(try matched(pieces, from: count, seed: seed) >= 57) }
    }

    @Test(arguments: [1, 2]) func `there are many ways to zero a register`(count: Int) throws {
        let pieces = [
            Self.setUp, .either([[0x31, 0xff], [0x29, 0xff], [0x48, 0x31, 0xff]]), .fixed([0x48, 0x8d, 0x74, 0x24, 0x10, 0xb9]),
            .operand(4),
            .either([[0x31, 0xc0], [0x29, 0xc0], [0x48, 0x31, 0xc0]]), Self.arguments,
        ]
        for seed in 1...5 as ClosedRange<UInt64> { #expect(try matched(pieces, from: count, seed: seed) >= 57) }
    }

    @Test func `what two samples have in different order is left out`() throws {
        let steps: [[UInt8]] = [
            [0x4c, 0x8d, 0x5c, 0x24, 0x28], [0x49, 0xc7, 0xc0, 0x10, 0, 0, 0], [0x48, 0x83, 0xce, 0x07], [0x45, 0x29, 0xda],
        ]
        let pieces = [Self.setUp, Self.setUp, .anyOrder(steps), Self.arguments, Self.arguments]
        let all = try (1...8 as ClosedRange<UInt64>).reduce(0) { try $0 + matched(pieces, from: 2, seed: $1) }
        #expect(all >= 7 * 60, "all but an unlucky pair")
    }

    @Test func `the head of a request stays out of what one or two samples give`() {
        for head in ProtocolHead.all {
            for count in [1, 2] {
                let samples = (0..<count).map { number in
                    let code = head.bytes + InertInstructions.bytes(40, seed: UInt64(number) + 3) + [0x0f, 0x05]
                    return Sample(
                        code: ExtractedCode(base: 0, bytes: code, isWholeRegion: true), callersAddress: UInt64(code.count),
                        architecture: .x86_64, context: .any)
                }
                for signature in SignatureCandidates.signatures(for: samples, goodware: nil, benign: BenignPool(streams: [])) {
                    #expect(!signature.matches(head.bytes), "\(head): \(signature)")
                }
            }
        }
    }

    @Test func `tokens carry the distances that samples show, and leave room where filler may be`() {
        func pattern(_ bytes: [UInt8?], _ start: Int) -> InstructionPattern {
            InstructionPattern(bytes: bytes, place: start..<start + bytes.count, codeBits: 4)
        }
        let patterns = [pattern([0x48, 0x89, 0xc7], 10), pattern([0xb8, nil, nil, nil, nil], 13), pattern([0x0f, 0x05], 30)]
        let tight = PatternTokens(patterns, distances: [[0, 0], [12, 20]], mayGrow: false)
        #expect(tight.tokens.map(\.pattern) == ["4889c7b8", "0f05"])
        // Four bytes of an operand, then twice the longest distance and the slack.
        #expect(tight.tokens[1].gap == 0...4 + 2 * 20 + PatternTokens.slack)
        let loose = PatternTokens(patterns, distances: [[0, 0], [12, 20]], mayGrow: true)
        // A byte alone is no token.
        #expect(loose.tokens.map(\.pattern) == ["4889c7", "0f05"])
        #expect(loose.place == 10..<32)
    }

    // MARK: Limits

    /// Moves between registers, of three bytes each, with what does nothing between them.
    private static let moves: [Piece] = [0xd8, 0xf3, 0xc1, 0xd6, 0xc7, 0xde, 0xf8, 0xca, 0xfb, 0xd1].flatMap {
        [.filler, .fixed([0x48, 0x89, $0])]
    }

    private func candidates(_ pieces: [Piece], from count: Int, seed: UInt64) -> [Signature] {
        let samples = (0..<count).map { variant(pieces, seed: seed * 100 + UInt64($0)) }
        return SignatureCandidates.signatures(for: samples, goodware: nil, benign: BenignPool(streams: []))
    }

    @Test(arguments: [1, 2]) func `what engines search for is taken from beside a pattern that has nothing of it`(count: Int) throws {
        // lea rsi, [rsp + 16]: four bytes in a row, further from the call than the chosen ones.
        let pieces = [.filler, .fixed([0x48, 0x8d, 0x74, 0x24, 0x10])] + Self.moves
        var matched = 0
        for seed in 1...5 as ClosedRange<UInt64> {
            let all = candidates(pieces, from: count, seed: seed)
            #expect(all.allSatisfy { $0.isWellFormed && $0.hasScannableRun })
            let unseen = (0..<40).map { variant(pieces, seed: 1_000_000 + seed * 1000 + UInt64($0)).code.bytes }
            matched += all.map { signature in unseen.count { signature.matches($0) } }.max() ?? 0
        }
        #expect(matched >= 190, "\(matched) of 200")
    }

    @Test(arguments: [1, 2]) func `a pattern without such bytes ties two instructions, or is no candidate`(count: Int) {
        for seed in 1...20 as ClosedRange<UInt64> {
            for signature in candidates(Self.moves, from: count, seed: seed) {
                #expect(signature.isWellFormed && signature.hasScannableRun, "\(signature)")
            }
        }
    }

    @Test func `two instructions that are tied are one token`() throws {
        func pattern(_ bytes: [UInt8?], _ start: Int) -> InstructionPattern {
            InstructionPattern(bytes: bytes, place: start..<start + bytes.count, codeBits: 4)
        }
        let patterns = [pattern([0x48, 0x89, 0xc7], 0), pattern([0x48, 0x89, 0xd8], 3), pattern([0x48, 0x89, 0xf3], 6)]
        let tokens = PatternTokens(patterns, distances: [[0, 0], [0, 0]], mayGrow: true, tied: 1).tokens
        #expect(tokens.map(\.pattern) == ["4889c74889d8", "4889f3"])
    }

    @Test(arguments: [1, 2]) func `wide operands and long codes keep the bounds of a signature`(count: Int) throws {
        // mov r64, imm64: two fixed bytes of ten. An instruction that is more certainly code stands far from the call.
        let wide = (0..<90).flatMap { [Piece.fixed([0x48, UInt8(0xb8 + $0 % 8)]), .operand(8)] }
        let filled = (0..<90).flatMap { [Piece.fixed([0x48, 0x8d, UInt8(0x40 + $0 % 4), 0x10]), .filler] }
        for pieces in [wide, filled, [Self.setUp] + wide, wide + filled, filled + wide] {
            for seed in 1...3 as ClosedRange<UInt64> {
                for signature in candidates(pieces, from: count, seed: seed) {
                    #expect(signature.isWellFormed, "\(signature.tokens.count) tokens of \(signature.tokens.map(\.bytes.count))")
                }
            }
        }
    }
}
