// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The C library that a process has mapped, and its version, from the library's file itself.
enum LibcVersion {
    enum Library: Hashable, Sendable {
        case glibc
        case musl
    }

    /// Finds the C library among the mappings of a process.
    ///
    /// - Parameter maps: the content of `/proc/PID/maps`.
    static func library(in maps: [UInt8]) -> (path: String, library: Library)? {
        maps.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            var start = 0
            while start < bytes.count {
                let end = memchr(base + start, 10, bytes.count - start).map { UnsafeRawPointer($0) - base } ?? bytes.count
                defer { start = end + 1 }
                // Names of C libraries are short: looking back so far finds their slash, and keeps long lines cheap.
                var slash = end - 1
                while slash > start, slash > end - 40, bytes[slash] != UInt8(ascii: "/") { slash -= 1 }
                guard slash > start, bytes[slash] == UInt8(ascii: "/"), bytes[slash + 1..<end].starts(with: "l".utf8),
                    let library = library(named: String(decoding: bytes[slash + 1..<end], as: UTF8.self)),
                    let first = memchr(base + start, Int32(UInt8(ascii: "/")), end - start)
                else { continue }
                return (String(decoding: bytes[(UnsafeRawPointer(first) - base)..<end], as: UTF8.self), library)
            }
            return nil
        }
    }

    private static func library(named name: String) -> Library? {
        if name == "libc.so.6" || (name.hasPrefix("libc-2.") && name.hasSuffix(".so")) { return .glibc }
        if (name.hasPrefix("ld-musl-") || name.hasPrefix("libc.musl-")) && name.contains(".so") { return .musl }
        return nil
    }

    /// Such as `glibc 2.36`; `nil` when the file doesn't say.
    static func version(_ library: Library, file: [UInt8]) -> String? {
        switch library {
        case .glibc: glibc(file).map { "glibc \($0)" }
        case .musl: musl(file).map { "musl \($0)" }
        }
    }

    /// glibc's banner: `GNU C Library (Debian GLIBC 2.36-9+deb12u13) stable release version 2.36.`
    private static func glibc(_ file: [UInt8]) -> String? {
        guard let banner = position(of: "GNU C Library", in: file, from: 0),
            let release = position(of: "release version ", in: file, from: banner), release - banner < 256
        else { return nil }
        let digits = file[(release + 16)...].prefix(16).prefix { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
        let text = String(decoding: digits, as: UTF8.self)
        let version = text.hasSuffix(".") ? String(text.dropLast()) : text
        return version.isEmpty ? nil : version
    }

    /// musl holds its version as a string of its own, `1.2.3`; where more than one string has that form we don't know
    /// which it is.
    private static func musl(_ file: [UInt8]) -> String? {
        var found: Set<String> = []
        for text in file.split(separator: 0) where (5...9).contains(text.count) && text.allSatisfy({ (46...57).contains($0) && $0 != 47 }) {
            let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            if parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) { found.insert(String(decoding: text, as: UTF8.self)) }
        }
        return found.count == 1 ? found.first : nil
    }

    private static func position(of text: String, in file: [UInt8], from start: Int) -> Int? {
        let needle = Array(text.utf8)
        return file.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            var position = start
            while position + needle.count <= bytes.count,
                let hit = memchr(base + position, Int32(needle[0]), bytes.count - position - needle.count + 1)
            {
                if memcmp(hit, needle, needle.count) == 0 { return UnsafeRawPointer(hit) - base }
                position = UnsafeRawPointer(hit) - base + 1
            }
            return nil
        }
    }
}
