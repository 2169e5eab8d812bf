// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Testing

@testable import ProcessInspection

/// Which differences between a page and its file are forgiven.
@Suite struct PageComparisonTests {
    static let address: UInt64 = 0x40_0000
    /// A page of instructions of one byte, with a call of five bytes that ends at 0x105, and a nop of five at 0x200.
    static let page: [UInt8] = {
        var page = [UInt8](repeating: 0x90, count: 4096)
        page.replaceSubrange(0x100..<0x105, with: [0xE8, 0x11, 0x22, 0x33, 0x44])
        page.replaceSubrange(0x200..<0x205, with: [0x0F, 0x1F, 0x44, 0x00, 0x00])
        return page
    }()

    private func compare(_ changes: [Int: UInt8], caller: UInt64 = 0x105, trampoline: UInt64? = nil) -> PageComparison {
        var memory = Self.page
        for (place, byte) in changes { memory[place] = byte }
        return PageComparison(
            memory: memory, expected: Self.page, at: Self.address, callersAddress: Self.address + caller,
            isProbeTrampoline: { $0 == trampoline })
    }

    @Test func `page that equals its file is the file`() {
        #expect(compare([:]).isImage)
        #expect(compare([:]).description == "the file's bytes")
    }

    @Test(arguments: [0x0, 0xFF, 0x100, 0x106, 0x800, 0xFFF]) func `single breakpoint is forgiven`(_ place: Int) {
        let found = compare([place: 0xCC])
        #expect(found.isImage && found.breakpoints == 1)
        #expect(found.description == "a breakpoint")
    }

    @Test(arguments: [0x101, 0x102, 0x103, 0x104]) func `breakpoint inside of the calling instruction is not`(_ place: Int) {
        #expect(!compare([place: 0xCC]).isImage)
        // Elsewhere it could be one.
        #expect(compare([place: 0xCC], caller: 0x300).isImage)
    }

    @Test(arguments: [[0x300: 0xCC, 0x301: 0xCC], [0x300: 0xC3], [0x300: 0xCC, 0x301: 0x00], [0x300: 0x00]] as [[Int: UInt8]])
    func `any other byte is a difference, and so are two breakpoints in a row`(_ changes: [Int: UInt8]) {
        let found = compare(changes)
        #expect(!found.isImage)
        #expect(found.unexplained > 0 && found.firstUnexplained != nil)
        #expect(found.description.contains("differ from the file"))
    }

    @Test func `many breakpoints are bounded`() {
        let spread = { (count: Int) in Dictionary(uniqueKeysWithValues: (0..<count).map { (0x400 + 2 * $0, UInt8(0xCC)) }) }
        #expect(compare(spread(PageComparison.maxBreakpoints)).isImage)
        #expect(!compare(spread(PageComparison.maxBreakpoints + 1)).isImage)
    }

    @Test func `call of the kernels trampoline where the file does nothing is a probe, and of no other place`() {
        let call: [Int: UInt8] = [0x200: 0xE8, 0x201: 0x10, 0x202: 0x20, 0x203: 0x30, 0x204: 0x00]
        let target = Self.address + 0x205 + 0x302010
        #expect(compare(call, trampoline: target).probes == 1)
        #expect(compare(call, trampoline: target).isImage)
        #expect(!compare(call, trampoline: target + 1).isImage)
        #expect(!compare(call).isImage)
        // Not where the file has another instruction.
        let moved = Dictionary(uniqueKeysWithValues: call.map { ($0.key + 0x100, $0.value) })
        #expect(!compare(moved, trampoline: target + 0x100).isImage)
    }

    /// Of a process that ended no other mapping is known: what may be an address counts as one, but for where the call itself leads.
    @Test func `address of another image's symbol in a process that ended`() {
        let mapping = MapEntry(
            start: Self.address, end: Self.address + 0x1000, protection: [.read, .execute], offset: 0, device: .init(major: 8, minor: 1),
            inode: 7, name: "/program")
        let process = ImagePages.Process(
            ended: mapping, copied: FileBytes(Self.page), callersAddress: Self.address + 0x105, library: 0x7000_0000..<0x7000_1000,
            changed: .init(seconds: 1, nanoseconds: 0), open: { nil })
        let operand = Self.address + 0x101..<Self.address + 0x105
        let elsewhere = Self.address + 0x300..<Self.address + 0x308
        #expect(process.mayBeSymbol(0x6000_0000, elsewhere) && process.mayBeSymbol(0x7000_0000, elsewhere))
        #expect(process.mayBeSymbol(0x7000_0800, operand) && !process.mayBeSymbol(0x6000_0000, operand))
        for code: UInt64 in [0, 0xFFFF, 0x7FFF_FFFF_F000, 0x8000_0000_0000, 0x9090_9090_9090_9090] {
            #expect(!process.mayBeSymbol(code, elsewhere))
        }
    }

    @Test func `page of another length is different`() {
        let short = PageComparison(memory: [0x90], expected: Self.page, at: Self.address, callersAddress: Self.address)
        #expect(!short.isImage && short.unexplained == 4096)
    }

    /// Instructions that end a page, with their lengths.
    static let instructions: [(bytes: [UInt8], length: UInt64)] = [
        ([0x0F, 0x05], 2), ([0xFF, 0xD0], 2), ([0xFF, 0x15, 1, 2, 3, 4], 6), ([0xE8, 1, 2, 3, 4], 5),
        ([0x90, 0x90], UInt64(CallInstruction.maxLength)),
    ]

    @Test(arguments: instructions) func `instruction before a caller is found in the file`(_ test: (bytes: [UInt8], length: UInt64)) {
        let page = [UInt8](repeating: 0x00, count: 64) + test.bytes
        let end = Self.address + UInt64(page.count)
        #expect(PageComparison.instruction(endingAt: end, in: page, at: Self.address) == end - test.length..<end)
    }
}

/// What tells a packed executable from others.
@Suite struct PackedExecutableTests {
    @Test(arguments: ["/bin/true", "/bin/bash", "/proc/self/exe", "/lib64/ld-linux-x86-64.so.2"]) func `ordinary program is not packed`(
        _ path: String
    ) throws {
        let file = try #require(try? FileDescriptor(path, 0))
        #expect(ElfImage(FileBytes(file)) != nil)
        #expect(PackedExecutable(FileBytes(file)) == nil)
    }

    @Test func `damaged headers are no image and no packed one`() throws {
        let whole = try #require(try? FileDescriptor("/bin/true", 0).read(maxBytes: 1 << 20))
        for length in [0, 4, 51, 63, 64, 200] { #expect(PackedExecutable(FileBytes(Array(whole.prefix(length)))) == nil) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0..<8 { bytes[Int.random(in: 4..<512, using: &generator)] = UInt8.random(in: 0...255, using: &generator) }
            let file = FileBytes(bytes)
            let image = ElfImage(file)
            let text = image.flatMap { TextRelocations($0, file) }
            #expect((text?.relocations.count ?? 0) <= 3 * TextRelocations.maxRelocations)
            #expect(image.map { ElfSymbols($0, file).has(Array("connect".utf8), at: 1) } != true)
            #expect(PackedExecutable(file) == nil)
        }
    }

    @Test func `pieces are spread evenly over the code, and bounded however long it is said to be`() {
        func segment(_ offset: UInt64, _ size: UInt64) -> ElfImage.Segment {
            ElfImage.Segment(type: 1, flags: 5, offset: offset, address: offset, fileSize: size, memorySize: size)
        }
        #expect(PackedExecutable.pieces(of: [segment(0x1000, 0x3fff)]).isEmpty)
        #expect(PackedExecutable.pieces(of: [segment(0x1000, 0x4fff)]) == [0x1000, 0x2000, 0x3000, 0x4000])
        #expect(PackedExecutable.pieces(of: [segment(0x1000, 0x2000), segment(0x8000, 0x2000)]) == [0x1000, 0x2000, 0x8000, 0x9000])
        let long = PackedExecutable.pieces(of: [segment(0, 1000 << 12), segment(1 << 30, 28 << 12)])
        #expect(long.count == 206 && Set(zip(long, long.dropFirst()).dropLast(6).map { $1 - $0 }) == [5 << 12], "\(long)")
        for sizes in [[UInt64.max], [.max, .max, .max], [1 << 47], [0, .max, 4096]] {
            let pieces = PackedExecutable.pieces(of: sizes.map { segment(.max - 4095, $0) })
            #expect((128...256).contains(pieces.count), "\(sizes): \(pieces.count)")
        }
    }

    @Test func `a chain of symbols that does not end is left`() {
        // A hash table for the last number that a symbol can have, in a chain without an end.
        let image = HashImage(firstSymbol: .max - 1, bucket: .max - 1, chain: [0, 0, 0])
        let file = FileBytes(image.bytes)
        let elf = ElfImage(file)
        #expect(elf != nil)
        #expect(elf.map { ElfSymbols($0, file).has(Array("connect".utf8), at: 1) } == false)
    }

    @Test func `density of bytes`() {
        #expect(PackedExecutable.bitsPerByte([UInt8](repeating: 7, count: 4096)) == 0)
        #expect(PackedExecutable.bitsPerByte((0..<4096).map { UInt8($0 & 255) }) == 8)
    }
}

/// An image whose addresses are its offsets, with a hash table of dynamic symbols (DT_GNU_HASH) of one bucket.
private struct HashImage {
    var bytes: [UInt8] = []

    init(firstSymbol: UInt32, bucket: UInt32, chain: [UInt32]) {
        func number(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        let (tableAt, end) = (UInt64(64 + 2 * 56 + 32), UInt64(512))
        bytes = [0x7F] + Array("ELF".utf8) + [2, 1, 1] + [UInt8](repeating: 0, count: 9)
        for half in [3, 62] as [UInt16] { number(half) }
        number(UInt32(1))
        for word in [0, 64, 0] as [UInt64] { number(word) }
        number(UInt32(0))
        for half in [64, 56, 2, 0, 0, 0] as [UInt16] { number(half) }
        // All of it is loaded; the dynamic section lies behind the headers.
        for (type, offset, size) in [(1, 0, end), (2, 64 + 2 * 56, 32)] as [(UInt32, UInt64, UInt64)] {
            number(type)
            number(UInt32(5))
            for word in [offset, offset, offset, size, size, 4096] { number(word) }
        }
        for word in [0x6FFF_FEF5, tableAt, 0, 0] as [UInt64] { number(word) }
        // Buckets, the first symbol, words of the filter, its shift; the bucket; the chain.
        for word in [1, firstSymbol, 0, 0, bucket] + chain { number(word) }
        bytes += [UInt8](repeating: 0, count: Int(end) - bytes.count)
    }
}
