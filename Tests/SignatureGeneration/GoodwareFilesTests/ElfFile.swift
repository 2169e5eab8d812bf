// SPDX-License-Identifier: Apache-2.0

/// Just enough of an ELF file (64 bits, little endian) for a reader of sections: inert data, no code.
enum ElfFile {
    /// - Parameter sections: each with its flags and contents.
    static func bytes(_ sections: [(flags: UInt64, contents: [UInt8])]) -> [UInt8] {
        let contents = sections.flatMap(\.contents)
        let table = 64 + contents.count
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 33) + little(UInt64(table), 8)
        file += [UInt8](repeating: 0, count: 10) + little(64, 2) + little(UInt64(sections.count), 2) + [0, 0]
        file += contents
        var offset = 64
        for section in sections {
            file += [UInt8](repeating: 0, count: 8) + little(section.flags, 8) + [UInt8](repeating: 0, count: 8)
            file += little(UInt64(offset), 8) + little(UInt64(section.contents.count), 8) + [UInt8](repeating: 0, count: 24)
            offset += section.contents.count
        }
        return file
    }

    /// A compressed section's contents: header and packed bytes.
    static func compressed(kind: UInt64, size: Int, _ packed: [UInt8]) -> (flags: UInt64, contents: [UInt8]) {
        (0x800, little(kind, 4) + [0, 0, 0, 0] + little(UInt64(size), 8) + little(1, 8) + packed)
    }

    static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }
}
