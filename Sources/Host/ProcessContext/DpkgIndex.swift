// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Which Debian package owns a file, and in which version, from dpkg's own lists.
///
/// The index holds a hash of each path; a hit is looked up in the package's list, so a collision never gives a wrong
/// answer. It is built once for each state of dpkg's status file.
struct DpkgIndex: Sendable {
    /// The folders that usr-merged systems hold as links, while their packages may still list either name.
    private static let merged = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"]

    private static let info = "/var/lib/dpkg/info"
    /// How much of each of dpkg's files, and how many lists, are read.
    private static let maxFileSize = 64 << 20
    private static let maxLists = 65536

    private var lists: [String] = []
    private var owners: [UInt64: Int32] = [:]
    private var versions: [String: String] = [:]

    /// `nil` where dpkg doesn't manage the system.
    ///
    /// - Parameter root: the folder that is the process's `/`.
    init?(root: RootFolder) {
        guard let status = root.read("/var/lib/dpkg/status", maxBytes: Self.maxFileSize) else { return nil }
        readVersions(status)
        for name in root.names(Self.info, maxCount: Self.maxLists) where name.hasSuffix(".list") {
            guard let list = root.read(Self.info + "/" + name, maxBytes: Self.maxFileSize) else { continue }
            lists.append(String(name.dropLast(5)))
            let owner = Int32(lists.count - 1)
            Self.forEachLine(list) { owners[Self.hash($0)] = owner }
        }
    }

    /// The package that owns a file, and its installed version.
    ///
    /// - Parameter root: one whose dpkg is in the state that the index was built from.
    func owner(of path: String, in root: RootFolder) -> (package: String, version: String?)? {
        for candidate in Self.aliases(path) {
            let wanted = Array(candidate.utf8)
            guard let owner = wanted.withUnsafeBytes({ owners[Self.hash($0)] }),
                let list = root.read(Self.info + "/" + lists[Int(owner)] + ".list", maxBytes: Self.maxFileSize)
            else { continue }
            var isListed = false
            Self.forEachLine(list) { if $0.elementsEqual(wanted) { isListed = true } }
            guard isListed else { continue }
            // The list of a package that several architectures can have at once is named `libc6:amd64.list`.
            let name = lists[Int(owner)]
            return (String(name.prefix { $0 != ":" }), versions[name])
        }
        return nil
    }

    static func aliases(_ path: String) -> [String] {
        for folder in merged {
            if path.hasPrefix("/usr/\(folder)/") { return [path, String(path.dropFirst(4))] }
            if path.hasPrefix("/\(folder)/") { return [path, "/usr" + path] }
        }
        return [path]
    }

    private mutating func readVersions(_ status: [UInt8]) {
        var name: String?
        var architecture: String?
        var version: String?
        var isInstalled = false
        func value(_ line: UnsafeRawBufferPointer, _ key: String) -> String? {
            guard line.starts(with: key.utf8) else { return nil }
            return String(decoding: line.dropFirst(key.utf8.count), as: UTF8.self)
        }
        func commit(_ versions: inout [String: String]) {
            if let name, let version, isInstalled {
                versions[name] = version
                if let architecture { versions["\(name):\(architecture)"] = version }
            }
            (name, architecture, version, isInstalled) = (nil, nil, nil, false)
        }
        Self.forEachLine(status) { line in
            guard let first = line.first else { return commit(&versions) }
            switch first {
            case UInt8(ascii: "P"): if let text = value(line, "Package: ") { name = text }
            case UInt8(ascii: "A"): if let text = value(line, "Architecture: ") { architecture = text }
            case UInt8(ascii: "V"): if let text = value(line, "Version: ") { version = text }
            case UInt8(ascii: "S"): if let text = value(line, "Status: ") { isInstalled = text.hasSuffix(" installed") }
            default: break
            }
        }
        commit(&versions)
    }

    private static func forEachLine(_ content: [UInt8], _ body: (UnsafeRawBufferPointer) -> Void) {
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

    /// FNV-1a with 64 bits (Fowler, Noll, Vo).
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}
