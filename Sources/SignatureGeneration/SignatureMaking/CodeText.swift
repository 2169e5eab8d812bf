// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import Signatures
import TokenSequences

/// The code of several samples, found when it is first asked for.
struct CodeExtents {
    private let samples: [Sample]
    private let callers: [Int]
    private var around: [Int: Range<Int>] = [:]
    private var all: [Int: [Range<Int>]] = [:]

    init(_ samples: [Sample], callers: [Int]) {
        self.samples = samples
        self.callers = callers
    }

    /// The stretch of code that holds the call.
    mutating func around(_ index: Int) -> Range<Int> {
        if let known = around[index] { return known }
        let extent = extent(of: index, onlyAround: true)
        around[index] = extent.around
        return extent.around
    }

    /// All stretches of code, ascending.
    mutating func all(_ index: Int) -> [Range<Int>] {
        if let known = all[index] { return known }
        let extent = extent(of: index, onlyAround: false)
        all[index] = extent.ranges
        return extent.ranges
    }

    private func extent(of index: Int, onlyAround: Bool) -> CodeExtent {
        let sample = samples[index]
        return CodeExtent(of: sample.code, caller: callers[index], architecture: sample.architecture, onlyAround: onlyAround)
    }
}

/// A sample for comparison with others: of what is not code, or is text, nothing is left but its length.
///
/// The other bytes are replaced by noise of the sample's own, so that it has none of them in common with another, and the
/// distances between those that it does have in common remain what they are.
struct CodeText {
    /// In bytes: shorter text in code is operands.
    private static let minTextBytes = 12

    private let bytes: [UInt8]
    private let code: [Range<Int>]
    private let part: Range<Int>

    /// - Parameters:
    ///   - code: ascending, without overlaps.
    ///   - part: what is compared.
    init(_ bytes: [UInt8], code: [Range<Int>], part: Range<Int>) {
        self.bytes = bytes
        self.code = code
        self.part = part
    }

    /// The first stream that carried a sample, which must have one.
    init(ofCarrierOf sample: Sample) {
        let bytes = sample.carriers.first ?? []
        let stream = ExtractedCode(base: 0, bytes: bytes, isWholeRegion: false)
        self.init(
            bytes, code: CodeExtent(of: stream, caller: nil, architecture: sample.architecture).ranges, part: bytes.indices)
    }

    /// The texts with noise in them, without more than ``TokenSequences/maxCopies`` of each: copies get noise of their own, and
    /// would not be seen to be copies.
    static func withoutCopies(_ texts: [CodeText]) -> [[UInt8]] {
        var copies: [[UInt8]: Int] = [:]
        var kept: [[UInt8]] = []
        for text in texts {
            let plain = Array(text.bytes[text.part])
            copies[plain, default: 0] += 1
            guard copies[plain, default: 0] <= TokenSequences.maxCopies else { continue }
            kept.append(text.withNoise(seed: UInt64(kept.count)))
        }
        return kept
    }

    private func withNoise(seed: UInt64) -> [UInt8] {
        let texts = TextBytes.ranges(in: bytes).filter { $0.count >= Self.minTextBytes }
        var noise = Noise(state: seed)
        var result: [UInt8] = []
        var (nextCode, nextText) = (0, 0)
        for position in part {
            while nextCode < code.count, code[nextCode].upperBound <= position { nextCode += 1 }
            while nextText < texts.count, texts[nextText].upperBound <= position { nextText += 1 }
            let isCode = nextCode < code.count && code[nextCode].contains(position)
            let isText = nextText < texts.count && texts[nextText].contains(position)
            let random = noise.next()
            result.append(isCode && !isText ? bytes[position] : random)
        }
        return result
    }

    /// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): the same in every run.
    private struct Noise {
        var state: UInt64

        init(state seed: UInt64) {
            state = seed &* 0xd129_0d3b_3b3f_d0a9
        }

        mutating func next() -> UInt8 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return UInt8(truncatingIfNeeded: (mixed ^ (mixed >> 31)) >> 24)
        }
    }
}
