// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import GoodwareFiles
@testable import GoodwareReading

@Suite struct ElfSectionsTests {
    private func sections(_ file: [UInt8]) -> [ElfSections.Compressed] {
        ElfSections.compressed(size: UInt64(file.count)) { offset, count in
            guard offset <= UInt64(file.count), count <= file.count - Int(offset) else { return nil }
            return Array(file[Int(offset)..<Int(offset) + count])
        }
    }

    @Test func `compressed sections are found`() {
        let file = ElfFile.bytes([
            (0, []), (2, [1, 2, 3]), ElfFile.compressed(kind: 1, size: 9, [7, 7]), ElfFile.compressed(kind: 2, size: 9, [8]),
            ElfFile.compressed(kind: 77, size: 9, [9]),
        ])
        let found = sections(file)
        #expect(found.map(\.number) == [2, 3, 4])
        #expect(found.map(\.compression) == [.zlib, .zstd, .other(77)])
        #expect(found.map { Array(file[Int($0.range.lowerBound)..<Int($0.range.upperBound)]) } == [[7, 7], [8], [9]])
    }

    @Test func `contradictory headers have no compressed sections`() {
        let whole = ElfFile.bytes([ElfFile.compressed(kind: 1, size: 9, [7, 7])])
        #expect(sections(whole).count == 1)
        for length in [0, 4, 5, 51, 63, 64, whole.count - 64, whole.count - 1] { #expect(sections(Array(whole.prefix(length))).isEmpty) }
        // The class, the table's place, the size of its entries, the section's place and length.
        let table = whole.count - 64
        for place in [4, 5, 46, 58, table + 30, table + 39] {
            var changed = whole
            changed[place] ^= 0xff
            #expect(sections(changed).isEmpty, "byte \(place)")
        }
        var endless = whole
        endless.replaceSubrange(60..<62, with: [0xff, 0xff])
        #expect(sections(endless).count == 1)
    }
}
