// SPDX-License-Identifier: Apache-2.0

import Foundation

/// dpkg's own files: a list of the files of each package, and a status file.
enum DpkgFiles {
    static let status = "/var/lib/dpkg/status"
    private static let info = "/var/lib/dpkg/info"
    /// How much of each of them, and how many lists, are read.
    static let maxFileSize = 64 << 20
    private static let maxLists = 65536

    /// The folders that usr-merged systems hold as links, while their packages may still list either name.
    private static let merged = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"]

    /// The names of the lists, without their ending. That of a package that several architectures can have at once is such as
    /// `libc6:amd64`.
    static func lists(in root: RootFolder) -> [String] {
        root.names(info, maxCount: maxLists).filter { $0.hasSuffix(".list") }.map { String($0.dropLast(5)) }
    }

    static func list(_ name: String, in root: RootFolder) -> [UInt8]? {
        root.read(info + "/" + name + ".list", maxBytes: maxFileSize)
    }

    /// The names under which a package may list a file.
    static func aliases(_ path: String) -> [String] {
        for folder in merged {
            if path.hasPrefix("/usr/\(folder)/") { return [path, String(path.dropFirst(4))] }
            if path.hasPrefix("/\(folder)/") { return [path, "/usr" + path] }
        }
        return [path]
    }

    /// Whether one of a list's lines is one of the paths.
    static func lists(_ list: [UInt8], anyOf paths: [[UInt8]]) -> Bool {
        var isListed = false
        forEachLine(list) { line in
            guard let base = line.baseAddress else { return }
            for path in paths where line.count == path.count && memcmp(base, path, path.count) == 0 { isListed = true }
        }
        return isListed
    }

    /// Lines have at least one byte.
    static func forEachLine(_ content: [UInt8], _ body: (UnsafeRawBufferPointer) -> Void) {
        content.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            var start = 0
            while start < bytes.count {
                let end = memchr(base + start, 10, bytes.count - start).map { UnsafeRawPointer($0) - base } ?? bytes.count
                body(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                start = end + 1
            }
        }
    }
}
