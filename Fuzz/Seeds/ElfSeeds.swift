// SPDX-License-Identifier: Apache-2.0

/// Generated ELF files: 32 and 64 bits, both byte orders, with compressed sections.
enum ElfSeeds {
    static var all: [[UInt8]] {
        [file(is64: true, isBig: false), file(is64: false, isBig: false), file(is64: true, isBig: true)]
    }

    private struct Section {
        var name: String
        var type: UInt64
        var flags: UInt64
        var bytes: [UInt8]
    }

    private static func file(is64: Bool, isBig: Bool) -> [UInt8] {
        func number(_ value: UInt64, _ count: Int) -> [UInt8] { isBig ? ByteOrder.big(value, count) : ByteOrder.little(value, count) }
        let word = is64 ? 8 : 4
        let text = (0..<1200).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 >> 3) }
        // Elf_Chdr: type (1 zlib, 2 zstd), for 64 bits a reserved word, size, alignment.
        func compressed(_ type: UInt64, _ bytes: [UInt8]) -> [UInt8] {
            number(type, 4) + (is64 ? number(0, 4) : []) + number(UInt64(text.count), word) + number(1, word) + bytes
        }
        var sections = [
            Section(name: "", type: 0, flags: 0, bytes: []),
            Section(name: ".text", type: 1, flags: 6, bytes: text),
            Section(name: ".bss", type: 8, flags: 3, bytes: []),
            Section(name: ".debug_info", type: 1, flags: 0x800, bytes: compressed(1, StoredForms.zlib(text))),
            Section(name: ".debug_line", type: 1, flags: 0x800, bytes: compressed(2, StoredForms.zstandard(text))),
            Section(
                name: ".zdebug_str", type: 1, flags: 0,
                bytes: Array("ZLIB".utf8) + ByteOrder.big(UInt64(text.count), 8) + StoredForms.zlib(text)),
        ]
        var names: [UInt8] = []
        var starts: [UInt64] = []
        for name in sections.map(\.name) + [".shstrtab"] {
            starts.append(UInt64(names.count))
            names += Array(name.utf8) + [0]
        }
        sections.append(Section(name: ".shstrtab", type: 3, flags: 0, bytes: names))
        let headerLength = is64 ? 64 : 52
        var body: [UInt8] = []
        var headers: [UInt8] = []
        for (section, start) in zip(sections, starts) {
            let offset = UInt64(headerLength + body.count)
            body += section.bytes
            let size = section.type == 8 ? 4096 : UInt64(section.bytes.count)
            headers += number(start, 4) + number(section.type, 4) + number(section.flags, word) + number(0, word) + number(offset, word)
            headers += number(size, word) + number(0, 4) + number(0, 4) + number(1, word) + number(0, word)
        }
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, isBig ? 2 : 1, 1] + [UInt8](repeating: 0, count: 9)
        file += number(2, 2) + number(is64 ? 62 : 3, 2) + number(1, 4) + number(0, word) + number(0, word)
        file +=
            number(UInt64(headerLength + body.count), word) + number(0, 4) + number(UInt64(headerLength), 2) + number(0, 2) + number(0, 2)
        file += number(is64 ? 64 : 40, 2) + number(UInt64(sections.count), 2) + number(UInt64(sections.count - 1), 2)
        return file + body + headers
    }
}
