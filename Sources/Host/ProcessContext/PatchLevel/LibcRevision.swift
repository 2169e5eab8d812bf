// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The revision of the package that a C library is of, from the library's own file where it says so.
enum LibcRevision {
    /// Names that glibc's and musl's packages go by, and how each database calls them.
    static func packages(_ library: LibcVersion.Library, in kind: PackageDatabase.Kind) -> [String] {
        switch (library, kind) {
        case (.glibc, .dpkg): ["libc6"]
        case (.glibc, .rpm): ["glibc"]
        case (.glibc, .apk): []
        case (.musl, .dpkg), (.musl, .apk), (.musl, .rpm): ["musl"]
        }
    }

    /// What the file says: Debian's and Ubuntu's glibc in its banner, libraries of Fedora and others in the note that packages put
    /// into what they build (the ELF package metadata of systemd's specification).
    static func revision(file: [UInt8]) -> String? { banner(file) ?? note(file) }

    /// `GNU C Library (Debian GLIBC 2.36-9+deb12u13) stable release version 2.36.`
    private static func banner(_ file: [UInt8]) -> String? {
        guard let start = range(of: "GNU C Library (", in: file)?.upperBound else { return nil }
        let bracket = file[start...].prefix(128).prefix { $0 != UInt8(ascii: ")") }
        let words = String(decoding: bracket, as: UTF8.self).split(separator: " ")
        guard words.count >= 3, words[words.count - 2].hasSuffix("GLIBC"), words[words.count - 1].first?.isNumber == true else {
            return nil
        }
        return String(words[words.count - 1])
    }

    /// The note of type 0xcafe1a7e, by the name `FDO`: JSON with the package's version. The architecture is no part of it.
    private static func note(_ file: [UInt8]) -> String? {
        // namesz 4, the size, the type, and the name: in the byte order of every architecture that Epitope runs on.
        let ending: [UInt8] = [0x7e, 0x1a, 0xfe, 0xca] + Array("FDO\0".utf8)
        guard let found = range(of: ending, in: file), found.lowerBound >= 8 else { return nil }
        let size = file[(found.lowerBound - 4)..<found.lowerBound].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard (2...4096).contains(size), found.upperBound + size <= file.count else { return nil }
        let json = file[found.upperBound..<(found.upperBound + size)].prefix { $0 != 0 }
        return (try? JSONDecoder().decode(Note.self, from: Data(json)))?.version
    }

    private struct Note: Decodable {
        var version: String?
    }

    private static func range(of text: String, in file: [UInt8]) -> Range<Int>? { range(of: Array(text.utf8), in: file) }

    private static func range(of wanted: [UInt8], in file: [UInt8]) -> Range<Int>? {
        file.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, let first = wanted.first else { return nil }
            var place = 0
            while place + wanted.count <= bytes.count,
                let hit = memchr(base + place, Int32(first), bytes.count - place - wanted.count + 1)
            {
                place = UnsafeRawPointer(hit) - base
                if memcmp(hit, wanted, wanted.count) == 0 { return place..<(place + wanted.count) }
                place += 1
            }
            return nil
        }
    }
}
