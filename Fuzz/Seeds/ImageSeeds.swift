// SPDX-License-Identifier: Apache-2.0

/// Small images of programs and libraries with what the host's readers look at: loadable segments, dynamic symbols with their
/// hash table, relocations of code, unwind tables; and packed ones, whose code is as dense as compressed data.
enum ImageSeeds {
    static let names = ["connect", "execve", "nobody"]
    static let codeAddress: UInt64 = 0x1000

    static var all: [[UInt8]] {
        [library(is64: true), library(is64: false), packed(is64: true), packed(is64: false)]
    }

    /// Headers are mutated most, then the tables.
    static func hotPlaces(_ input: [UInt8]) -> [Range<Int>] {
        let tables = min(tablesOffset, input.count)
        return [
            0..<min(64, input.count), min(52, input.count)..<min(360, input.count), tables..<min(tables + 1024, input.count),
            0..<input.count,
        ]
    }

    private static let codeOffset = 0x1000
    private static let tablesOffset = 0x2000
    private static let pageSize = 0x1000

    private struct Segment {
        var type: UInt64
        var flags: UInt64
        var offset: Int
        var size: Int
    }

    /// A file whose addresses before relocation are its offsets.
    private static func file(is64: Bool, type: UInt64, entry: Int, segments: [Segment], contents: [(Int, [UInt8])]) -> [UInt8] {
        let word = is64 ? 8 : 4
        let headerSize = is64 ? 64 : 52
        func number(_ value: Int, _ size: Int) -> [UInt8] { ByteOrder.little(UInt64(value), size) }
        var bytes: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1, 1] + [UInt8](repeating: 0, count: 9)
        bytes += ByteOrder.little(type, 2) + number(is64 ? 62 : 3, 2) + number(1, 4)
        bytes += number(entry, word) + number(headerSize, word) + number(0, word) + number(0, 4)
        bytes += number(headerSize, 2) + number(is64 ? 56 : 32, 2) + number(segments.count, 2) + number(0, 2) + number(0, 2) + number(0, 2)
        for segment in segments {
            bytes += ByteOrder.little(segment.type, 4) + (is64 ? ByteOrder.little(segment.flags, 4) : [])
            bytes += number(segment.offset, word) + number(segment.offset, word) + number(segment.offset, word)
            bytes += number(segment.size, word) + number(segment.size, word) + (is64 ? [] : ByteOrder.little(segment.flags, 4))
            bytes += number(pageSize, word)
        }
        for (offset, content) in contents {
            bytes += [UInt8](repeating: 0, count: max(0, offset - bytes.count)) + content
        }
        return bytes
    }

    /// Code with calls and jumps of every form that is read.
    private static let code: [UInt8] =
        [0x55, 0x48, 0x89, 0xe5, 0xe8, 0x10, 0, 0, 0, 0xff, 0x15, 0xf1, 0x0f, 0, 0, 0xff, 0xd0, 0x0f, 0x05, 0xc3]
        + [
            0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0xe0, 0x0f, 0, 0, 0x68, 1, 0, 0, 0, 0xe9, 0xe0, 0xff, 0xff, 0xff, 0x0f, 0x85, 9, 0, 0,
            0,
        ]
        + [0x0f, 0x1f, 0x44, 0, 0, 0xff, 0xe0, 0x48, 0x89, 0x04, 0x24, 0xc3]

    private static func library(is64: Bool) -> [UInt8] {
        let word = is64 ? 8 : 4
        func number(_ value: Int, _ size: Int? = nil) -> [UInt8] { ByteOrder.little(UInt64(value), size ?? word) }
        var text: [UInt8] = [0]
        var nameOffsets: [Int] = []
        for name in names {
            nameOffsets.append(text.count)
            text += Array(name.utf8) + [0]
        }
        // The first symbol is none; the others are functions of the code segment.
        var symbols = [UInt8](repeating: 0, count: is64 ? 24 : 16)
        for (index, name) in nameOffsets.enumerated() {
            let (value, size) = (codeOffset + 20 * index, 20)
            symbols +=
                is64
                ? number(name, 4) + [0x12, 0] + number(1, 2) + number(value) + number(size)
                : number(name, 4) + number(value) + number(size) + [0x12, 0] + number(1, 2)
        }
        // DT_GNU_HASH: one bucket, whose chain holds all; a filter of one word.
        let hashes = names.map { name in name.utf8.reduce(UInt32(5381)) { $0 &* 33 &+ UInt32($1) } }
        var hash = number(1, 4) + number(1, 4) + number(1, 4) + number(0, 4) + [UInt8](repeating: 0xff, count: word) + number(1, 4)
        for (index, value) in hashes.enumerated() {
            hash += number(Int(value & ~1 | (index == hashes.count - 1 ? 1 : 0)), 4)
        }
        // R_*_RELATIVE, an absolute one, and one that is relative to its place, in the code; then one for an import table.
        var relocations: [UInt8] = []
        for (index, type) in [8, 1, 2, 6].enumerated() {
            let information = is64 ? number(type, 4) + number(index % 4, 4) : number(index % 4 << 8 | type)
            relocations += number(codeOffset + 16 * index + 2) + information + (is64 ? number(0x20) : [])
        }
        let (textAt, symbolsAt, hashAt) = (tablesOffset, tablesOffset + 0x80, tablesOffset + 0x180)
        let (relocationsAt, dynamicAt, indexAt, framesAt) = (
            tablesOffset + 0x200, tablesOffset + 0x300, tablesOffset + 0x480, tablesOffset + 0x4c0
        )
        var dynamic: [UInt8] = []
        let tags = [
            (5, textAt), (6, symbolsAt), (10, text.count), (0x6fff_fef5, hashAt), (is64 ? 7 : 17, relocationsAt),
            (is64 ? 8 : 18, relocations.count), (22, 0), (14, 1), (23, relocationsAt), (2, relocations.count), (0, 0),
        ]
        for (tag, value) in tags { dynamic += number(tag) + number(value) }
        let frames = unwindTables(framesAt)
        // .eh_frame_hdr: version, encodings, where .eh_frame is, how many functions, and the table.
        let index: [UInt8] =
            [1, 0x1b, 3, 0x3b] + ByteOrder.little(UInt64(framesAt - indexAt - 4), 4) + number(1, 4)
            + ByteOrder.little(UInt64(bitPattern: Int64(codeOffset - indexAt)), 4) + number(framesAt + frames.functionAt - indexAt, 4)
        let end = framesAt + frames.bytes.count
        return file(
            is64: is64, type: 3, entry: codeOffset,
            segments: [
                Segment(type: 1, flags: 4, offset: 0, size: 0x400), Segment(type: 1, flags: 5, offset: codeOffset, size: pageSize),
                Segment(type: 1, flags: 6, offset: tablesOffset, size: end - tablesOffset),
                Segment(type: 2, flags: 6, offset: dynamicAt, size: dynamic.count),
                Segment(type: 0x6474_e550, flags: 4, offset: indexAt, size: end - indexAt),
            ],
            contents: [
                (codeOffset, code), (textAt, text), (symbolsAt, symbols), (hashAt, hash), (relocationsAt, relocations),
                (dynamicAt, dynamic),
                (indexAt, index), (framesAt, frames.bytes),
            ])
    }

    /// `.eh_frame` at an address: what functions have in common, and the description of one.
    private static func unwindTables(_ address: Int) -> (bytes: [UInt8], functionAt: Int) {
        func record(_ body: [UInt8]) -> [UInt8] {
            let padded = body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
            return ByteOrder.little(UInt64(padded.count), 4) + padded
        }
        // Version 1, "zR", alignments 1 and -8, the return address's column, pointers relative to their place.
        let common = record([0, 0, 0, 0, 1, 0x7a, 0x52, 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1])
        let place = address + common.count + 8
        let function = record(
            ByteOrder.little(UInt64(common.count + 4), 4) + ByteOrder.little(UInt64(bitPattern: Int64(codeOffset - place)), 4)
                + ByteOrder.little(20, 4) + [0, 0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x0a, 0x4c, 0x0c, 7, 8, 0x0b])
        return (common + function + [0, 0, 0, 0], common.count)
    }

    private static func packed(is64: Bool) -> [UInt8] {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        let dense = (0..<8 * pageSize).map { _ in
            // xorshift64
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state >> 24)
        }
        return file(
            is64: is64, type: 2, entry: codeOffset + 64,
            segments: [
                Segment(type: 1, flags: 6, offset: 0, size: codeOffset), Segment(type: 1, flags: 5, offset: codeOffset, size: dense.count),
            ], contents: [(codeOffset, dense)])
    }
}
