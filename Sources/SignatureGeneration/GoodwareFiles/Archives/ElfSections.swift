// SPDX-License-Identifier: Apache-2.0

import GoodwareReading
import InputFiles

/// Finds the compressed sections of an ELF file (System V ABI, "Section Compression"), mostly the debug sections of Go and
/// Rust programs. All other sections are read with the file.
enum ElfSections {
    enum Compression: Equatable {
        case zlib
        case zstd
        case other(UInt32)
    }

    struct Compressed: Equatable {
        var number: Int
        var compression: Compression
        /// The range of the compressed bytes in the file, after the compression header.
        var range: Range<UInt64>
    }

    /// How many sections of one file are read.
    static let maxSections = 65536

    static func isELF(_ head: [UInt8]) -> Bool { head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) }

    /// - Parameters:
    ///   - size: of the file, in bytes.
    ///   - read: reads bytes of the file; returns `nil` if they can't be read.
    /// - Returns: the compressed sections; empty for a file with contradictory headers.
    static func compressed(size: UInt64, read: (_ offset: UInt64, _ count: Int) -> [UInt8]?) -> [Compressed] {
        guard let (head, form) = head(read) else { return [] }
        var found: [Compressed] = []
        eachHeader(head, form, size: size, read) { number, header in
            if let section = section(number, header, form, size: size, read: read) { found.append(section) }
        }
        return found
    }

    /// In bytes: the end of what an ELF file's headers name, at most its size; what lies behind is no part of the program. 0 for a
    /// file with contradictory headers.
    static func end(size: UInt64, read: (_ offset: UInt64, _ count: Int) -> [UInt8]?) -> UInt64 {
        guard let (head, form) = head(read) else { return 0 }
        let noBits: UInt32 = 8
        var end: UInt64 = 0
        func extend(_ start: UInt64, _ length: UInt64) {
            let (sum, overflow) = start.addingReportingOverflow(length)
            end = max(end, overflow ? .max : sum)
        }
        eachHeader(head, form, size: size, read) { number, header in
            extend(form.word(head, at: form.is64 ? 40 : 32), UInt64((number + 1) * header.count))
            guard form.number32(header, at: 4) != noBits else { return }
            extend(form.word(header, at: form.is64 ? 24 : 16), form.word(header, at: form.is64 ? 32 : 20))
        }
        let (table, entry) = (form.word(head, at: form.is64 ? 32 : 28), form.half(head, at: form.is64 ? 54 : 42))
        for number in 0..<form.half(head, at: form.is64 ? 56 : 44) where entry >= (form.is64 ? 56 : 32) {
            let (offset, overflow) = table.addingReportingOverflow(UInt64(number * entry))
            guard !overflow, offset < size, let header = read(offset, entry) else { break }
            extend(form.word(header, at: form.is64 ? 8 : 4), form.word(header, at: form.is64 ? 32 : 16))
        }
        return min(end, size)
    }

    private static func head(_ read: (UInt64, Int) -> [UInt8]?) -> ([UInt8], ElfForm)? {
        guard let head = read(0, 64) ?? read(0, 52), isELF(head), let form = ElfForm(head) else { return nil }
        return (head, form)
    }

    /// Calls the body with the header of each section, and its number.
    private static func eachHeader(
        _ head: [UInt8], _ form: ElfForm, size: UInt64, _ read: (UInt64, Int) -> [UInt8]?, _ body: (Int, [UInt8]) -> Void
    ) {
        let table = form.word(head, at: form.is64 ? 40 : 32)
        let entry = form.half(head, at: form.is64 ? 58 : 46)
        guard table > 0, entry >= (form.is64 ? 64 : 40), table < size else { return }
        var count = form.half(head, at: form.is64 ? 60 : 48)
        if count == 0, let first = read(table, entry) {
            // For more sections than 16 bits can count, their number is the size of the first one.
            count = Int(clamping: form.word(first, at: form.is64 ? 32 : 20))
        }
        for number in 0..<min(count, maxSections) {
            let (offset, overflow) = table.addingReportingOverflow(UInt64(number * entry))
            guard !overflow, offset < size, let header = read(offset, entry) else { return }
            body(number, header)
        }
    }

    private static func section(
        _ number: Int, _ header: [UInt8], _ form: ElfForm, size: UInt64, read: (UInt64, Int) -> [UInt8]?
    ) -> Compressed? {
        let isCompressed: UInt64 = 0x800
        guard form.word(header, at: 8) & isCompressed != 0 else { return nil }
        let start = form.word(header, at: form.is64 ? 24 : 16)
        let length = form.word(header, at: form.is64 ? 32 : 20)
        let prefix = form.is64 ? 24 : 12
        guard start < size, length <= size - start, length > UInt64(prefix), let compression = read(start, prefix) else { return nil }
        let kind: Compression =
            switch form.number32(compression, at: 0) {
            case 1: .zlib
            case 2: .zstd
            case let other: .other(other)
            }
        return Compressed(number: number, compression: kind, range: start + UInt64(prefix)..<start + length)
    }
}
