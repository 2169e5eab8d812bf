// SPDX-License-Identifier: Apache-2.0

import GoodwareReading

/// What a file, or a part of one, is by its first bytes, and so how its contents are read.
enum ContentKind: Equatable {
    /// Its bytes are all that it holds.
    case plain
    /// A program, which may have compressed sections, and something packed behind it.
    case elf
    /// A program of Windows, which may have something packed behind it.
    case windows
    /// A program as text, which may have something packed behind it.
    case script
    case compressed(Compression)
    case archive(ArchiveForm)
    /// Holds files in a form that is not read: its name, for people.
    case unreadable(String)

    /// In bytes: how much of the beginning decides. A CD image has its first descriptor behind 16 sectors.
    static let headBytes = 34 << 10

    init(_ head: [UInt8]) {
        if head.starts(with: [0x7f, 0x45, 0x4c, 0x46]) {
            self = .elf
        } else if WindowsProgram.begins(head) {
            self = .windows
        } else if let compression = Compression(head) {
            self = .compressed(compression)
        } else if let form = ArchiveForm(head) {
            self = .archive(form)
        } else if let name = UnreadableForm.name(head) {
            self = .unreadable(name)
        } else if head.starts(with: [0x23, 0x21]) {
            self = .script
        } else {
            self = .plain
        }
    }

    /// Whether nothing is packed in it, or at most behind it or in its sections.
    var isItself: Bool { [.plain, .elf, .windows, .script].contains(self) }

    static func holds(_ head: [UInt8], _ magic: [UInt8], at place: Int = 0) -> Bool {
        head.count >= place + magic.count && head[place..<place + magic.count].elementsEqual(magic)
    }
}

/// How bytes are packed as a whole: what libarchive calls a filter.
enum Compression: CaseIterable {
    case gzip, bzip2, compress, xz, lzma, lzip, lz4, zstd
    /// A package, whose payload is compressed again.
    case rpm

    init?(_ head: [UInt8]) {
        guard let found = Self.allCases.first(where: { $0.begins(head) }) else { return nil }
        self = found
    }

    private func begins(_ head: [UInt8]) -> Bool {
        func has(_ magic: [UInt8], at place: Int = 0) -> Bool { ContentKind.holds(head, magic, at: place) }
        return switch self {
        case .gzip: has([0x1f, 0x8b, 8])
        // The first block, or the end of an empty file (bzip2's manual has no more of its format).
        case .bzip2:
            has([0x42, 0x5a, 0x68]) && (has([0x31, 0x41, 0x59, 0x26, 0x53, 0x59], at: 4) || has([0x17, 0x72, 0x45, 0x38], at: 4))
        case .compress: has([0x1f, 0x9d])
        case .xz: has([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0])
        case .lzma: Self.isLZMA(head)
        case .lzip: has(Array("LZIP".utf8))
        case .lz4: has([0x04, 0x22, 0x4d, 0x18]) || has([0x02, 0x21, 0x4c, 0x18])
        case .zstd: has([0x28, 0xb5, 0x2f, 0xfd]) || (has([0x2a, 0x4d, 0x18], at: 1) && head[0] & 0xf0 == 0x50)
        case .rpm: has([0xed, 0xab, 0xee, 0xdb])
        }
    }

    /// The old format has no magic number: the usual properties, a dictionary of 64 KiB to 128 MiB, and a size of at most 2^40
    /// or none (the LZMA specification's header of 13 bytes).
    private static func isLZMA(_ head: [UInt8]) -> Bool {
        guard head.count > 13, head[0] == 0x5d, head[1] == 0, head[2] == 0 else { return false }
        let dictionary = Int(head[3]) << 16 | Int(head[4]) << 24
        return dictionary.nonzeroBitCount == 1 && (head[5..<13].allSatisfy { $0 == 0xff } || head[10..<13].allSatisfy { $0 == 0 })
    }
}

/// How an archive holds its members.
enum ArchiveForm: CaseIterable {
    case tar, ar, cpio, zip, sevenZip, iso9660, cab, xar, lha, rar, rar5, warc

    init?(_ head: [UInt8]) {
        guard let found = Self.allCases.first(where: { $0.begins(head) }) else { return nil }
        self = found
    }

    /// Whether members are in the archive as they are, in one piece: what was read of the archive has been read of them, too.
    var storesPlainly: Bool { [.tar, .ar, .cpio].contains(self) }

    /// Whether the list of members is at the end.
    var needsSeeking: Bool { self == .sevenZip }

    private func begins(_ head: [UInt8]) -> Bool {
        func has(_ magic: String, at place: Int = 0) -> Bool { ContentKind.holds(head, Array(magic.utf8), at: place) }
        return switch self {
        case .tar: Self.isTar(head)
        case .ar: has("!<arch>\n")
        case .cpio: has("070701") || has("070702") || has("070707") || ContentKind.holds(head, [0xc7, 0x71])
        case .zip: has("PK\u{3}\u{4}") || has("PK\u{5}\u{6}")
        case .sevenZip: ContentKind.holds(head, [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c])
        case .iso9660: has("CD001", at: 32769)
        case .cab: has("MSCF\0\0\0\0")
        case .xar: has("xar!")
        case .lha: has("-lh", at: 2) && has("-", at: 6)
        case .rar: has("Rar!\u{1a}\u{7}\0")
        case .rar5: has("Rar!\u{1a}\u{7}\u{1}\0")
        case .warc: has("WARC/")
        }
    }

    /// The checksum of a header is the sum of its bytes, with spaces in its own place (POSIX, pax).
    private static func isTar(_ head: [UInt8]) -> Bool {
        guard head.count >= 512, head[0] != 0 else { return false }
        let digits = head[148..<156].drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
        guard !digits.isEmpty else { return false }
        let stated = digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }
        return stated == head[..<512].reduce(0) { $0 + Int($1) } - head[148..<156].reduce(0) { $0 + Int($1) } + 8 * 0x20
    }
}
