// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Testing

@Suite struct ExtractionRangeTests {
    static func region(_ start: UInt64, _ count: UInt64) -> MemoryRegion {
        MemoryRegion(start: start, end: start + count, protection: [.read, .execute], backing: .anonymous)
    }

    @Test(arguments: [UInt64(1), 4096, 8192]) func `region of at most eight kibibytes is extracted whole`(count: UInt64) throws {
        let range = try #require(ExtractionRange(of: Self.region(0x10000, count), callersAddress: 0x10001))
        #expect(range.start == 0x10000 && range.count == Int(count) && range.isWholeRegion)
    }

    @Test func `larger region gives four kibibytes on each side`() throws {
        let range = try #require(ExtractionRange(of: Self.region(0x10000, 0x8000), callersAddress: 0x14321))
        #expect(range.start == 0x13321 && range.count == 8192 && !range.isWholeRegion)
    }

    @Test func `snippet is clipped to the region`() throws {
        let region = Self.region(0x10000, 8193)
        let early = try #require(ExtractionRange(of: region, callersAddress: 0x10010))
        #expect(early.start == 0x10000 && early.count == 0x10 + 4096 && !early.isWholeRegion)
        let late = try #require(ExtractionRange(of: region, callersAddress: region.end))
        #expect(late.start == region.end - 4096 && late.count == 4096)
    }

    @Test func `amounts are settings, within the bounds of a packet`() throws {
        let small = ExtractionAmounts(maxWholeBytes: 1024, sideBytes: 300)
        let whole = try #require(ExtractionRange(of: Self.region(0x10000, 1024), callersAddress: 0x10010, amounts: small))
        #expect(whole.count == 1024 && whole.isWholeRegion)
        let snippet = try #require(ExtractionRange(of: Self.region(0x10000, 1025), callersAddress: 0x10200, amounts: small))
        #expect(snippet.start == 0x10200 - 300 && snippet.count == 600 && !snippet.isWholeRegion)
        // A snippet that reaches all of it is the whole.
        let all = try #require(
            ExtractionRange(of: Self.region(0x10000, 400), callersAddress: 0x100c8, amounts: .init(maxWholeBytes: 256, sideBytes: 256)))
        #expect(all.count == 400 && all.isWholeRegion)
        #expect(ExtractionAmounts(maxWholeBytes: 0, sideBytes: 0) == ExtractionAmounts(maxWholeBytes: 256, sideBytes: 256))
        #expect(ExtractionAmounts(maxWholeBytes: .max, sideBytes: .max) == ExtractionAmounts())
    }

    @Test func `of what was copied before, the range's part is taken`() throws {
        let bytes = (0..<8192).map { UInt8(truncatingIfNeeded: $0 / 16) }
        let copied = ExtractedCode(base: 0x10000, bytes: bytes, isWholeRegion: false)
        let range = try #require(
            ExtractionRange(
                of: Self.region(0x8000, 0x20000), callersAddress: 0x11000, amounts: .init(maxWholeBytes: 256, sideBytes: 256)))
        let part = range.part(of: copied, callersAddress: 0x11000)
        #expect(part.base == 0x10f00 && part.bytes == Array(bytes[0xf00..<0x1100]) && !part.isWholeRegion)
        // The pages before the caller's were missing.
        let late = ExtractedCode(base: 0x10ff0, bytes: Array(bytes[0xff0...]), isWholeRegion: false)
        #expect(range.part(of: late, callersAddress: 0x11000).base == 0x10ff0)
        // It doesn't hold the caller: nothing better is known.
        let other = ExtractedCode(base: 0x20000, bytes: bytes, isWholeRegion: false)
        #expect(range.part(of: other, callersAddress: 0x11000) == other)
    }

    @Test func `caller outside of the region has no range`() {
        #expect(ExtractionRange(of: Self.region(0x10000, 64), callersAddress: 0xFFFF) == nil)
        #expect(ExtractionRange(of: Self.region(0x10000, 64), callersAddress: 0x10041) == nil)
    }

    @Test func `region at the top of the address space does not trap`() throws {
        let region = MemoryRegion(start: 0, end: .max, protection: [], backing: .anonymous)
        let range = try #require(ExtractionRange(of: region, callersAddress: .max))
        #expect(range.start == .max - 4096 && range.count == 4096)
    }

    @Test func `short read makes a snippet of a whole region`() throws {
        let range = try #require(ExtractionRange(of: Self.region(0x10000, 64), callersAddress: 0x10020))
        #expect(range.code(read: [UInt8](repeating: 1, count: 64)).isWholeRegion)
        let short = range.code(read: [UInt8](repeating: 1, count: 40))
        #expect(!short.isWholeRegion && short.offset(of: 0x10020) == 0x20)
    }
}
