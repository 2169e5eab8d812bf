// SPDX-License-Identifier: Apache-2.0

import TestSupport

/// Mutates an input in the ways that find most bugs of parsers: single bits, lengths and bounds at the limits of their
/// types, truncations, repetitions, and parts of other inputs (like the "havoc" stage of AFL; lcamtuf, "American Fuzzy
/// Lop", technical details).
struct Mutation {
    /// In bytes: an input never grows beyond this, or twice its seed.
    private static let maxBytes = 1 << 17
    /// Values at which lengths, offsets and counts often fail.
    private static let interesting: [UInt64] = [
        0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 511, 512, 1000, 1024, 4095, 4096, 8191, 8192,
        32767, 32768, 65535, 65536, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff, 0x1_0000_0000,
        0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, .max - 1, .max,
    ]

    let dictionary: [[UInt8]]
    let hotPlaces: (@Sendable ([UInt8]) -> [Range<Int>])?

    /// Mutates the input one to sixteen times, seldom often: most parsers reject inputs with many changes.
    func apply(to input: inout [UInt8], others: [[UInt8]], random: inout SeededGenerator) {
        let limit = max(Self.maxBytes, 2 * input.count)
        var hot = (hotPlaces?(input) ?? []).filter { !$0.isEmpty }
        let doublings = min(Int.random(in: 0...4, using: &random), Int.random(in: 0...4, using: &random))
        for _ in 0..<(1 << doublings) {
            let length = input.count
            step(&input, others, hot, &random)
            if input.count > limit { input.removeLast(input.count - limit) }
            if input.count != length, hotPlaces != nil { hot = (hotPlaces?(input) ?? []).filter { !$0.isEmpty } }
        }
    }

    private func step(_ input: inout [UInt8], _ others: [[UInt8]], _ hot: [Range<Int>], _ random: inout SeededGenerator) {
        let offset = Self.place(in: input, hot, &random)
        guard offset < input.count else {
            input += random.bytes(1...64)
            return
        }
        switch Int.random(in: 0..<12, using: &random) {
        case 0: input[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: input[offset] = UInt8.random(in: 0...255, using: &random)
        case 2: input[offset] = input[offset] &+ UInt8(bitPattern: Int8.random(in: -16...16, using: &random))
        case 3, 4: Self.put(Self.interesting.randomElement(using: &random) ?? 0, at: offset, in: &input, &random)
        case 5: Self.put(random.next(), at: offset, in: &input, &random)
        case 6: input.removeLast(input.count - offset)
        case 7: input.removeSubrange(Self.block(at: offset, in: input, &random))
        case 8:
            let block = Array(input[Self.block(at: offset, in: input, &random)])
            let copies = Int.random(in: 0..<8, using: &random) == 0 ? Int.random(in: 2...64, using: &random) : 1
            for _ in 0..<copies { input.insert(contentsOf: block, at: offset) }
        case 9:
            let from = Self.block(at: offset, in: input, &random)
            let block = Array(input[from])
            input.removeSubrange(from)
            input.insert(contentsOf: block, at: Self.place(in: input, hot, &random))
        case 10: splice(&input, others, at: offset, &random)
        default:
            guard let word = dictionary.randomElement(using: &random) else { return }
            let isOverwritten = Bool.random(using: &random)
            let end = isOverwritten ? min(input.count, offset + word.count) : offset
            input.replaceSubrange(offset..<end, with: word)
        }
    }

    /// A part of another input, or the rest of it.
    private func splice(_ input: inout [UInt8], _ others: [[UInt8]], at offset: Int, _ random: inout SeededGenerator) {
        guard let other = others.randomElement(using: &random), !other.isEmpty else { return }
        let start = Int.random(in: 0..<other.count, using: &random)
        if Bool.random(using: &random) {
            input.replaceSubrange(offset..., with: other[start...])
        } else {
            input.insert(contentsOf: other[Self.block(at: start, in: other, &random)], at: offset)
        }
    }

    private static func place(in input: [UInt8], _ hot: [Range<Int>], _ random: inout SeededGenerator) -> Int {
        guard let part = hot.randomElement(using: &random), Int.random(in: 0..<10, using: &random) > 0 else {
            return Int.random(in: 0...input.count, using: &random)
        }
        return min(Int.random(in: part, using: &random), input.count)
    }

    /// Mostly a few bytes from the offset on, sometimes many, never beyond the end.
    private static func block(at offset: Int, in input: [UInt8], _ random: inout SeededGenerator) -> Range<Int> {
        let limit = 1 << Int.random(in: 0...12, using: &random)
        return offset..<min(input.count, offset + Int.random(in: 1...limit, using: &random))
    }

    /// A number of 1, 2, 4 or 8 bytes, in either byte order.
    private static func put(_ value: UInt64, at offset: Int, in input: inout [UInt8], _ random: inout SeededGenerator) {
        let size = 1 << Int.random(in: 0...3, using: &random)
        var bytes = (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
        if Bool.random(using: &random) { bytes.reverse() }
        for (index, byte) in bytes.enumerated() where offset + index < input.count { input[offset + index] = byte }
    }
}
