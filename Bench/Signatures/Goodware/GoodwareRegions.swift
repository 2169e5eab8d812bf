// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport

/// Regions cut at random from the machine's own files: as often from the C library, interpreters, web pages and other
/// programs as from all the rest together.
struct GoodwareRegions {
    private let files: [(kind: String, paths: [String])]

    init(below folders: [String]) throws {
        var files: [String] = []
        for folder in folders {
            let all = FileManager.default.enumerator(atPath: folder)
            while let name = all?.nextObject() as? String, files.count < 200_000 {
                guard all?.fileAttributes?[.type] as? FileAttributeType == .typeRegular,
                    let size = all?.fileAttributes?[.size] as? UInt64, size >= 512
                else { continue }
                // What is packed is indexed unpacked.
                guard ![".gz", ".xz", ".bz2", ".zst", ".zip", ".jar", ".deb", ".whl"].contains(where: name.hasSuffix) else { continue }
                files.append(folder + "/" + name)
            }
        }
        self.files = Dictionary(grouping: files.sorted(), by: Self.kind).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Up to 8 KiB of one file.
    func region(_ random: inout SeededGenerator) throws -> (bytes: [UInt8], kind: String) {
        while true {
            guard let (kind, paths) = files.randomElement(using: &random) else { throw CocoaError(.fileReadNoSuchFile) }
            let path = paths[Int.random(in: paths.indices, using: &random)]
            guard let file = FileHandle(forReadingAtPath: path) else { continue }
            defer { try? file.close() }
            let size = try file.seekToEnd()
            try file.seek(toOffset: UInt64.random(in: 0...size - min(size, 8192), using: &random))
            guard let data = try file.read(upToCount: 8192), data.count >= 256 else { continue }
            return (Array(data), kind)
        }
    }

    private static func kind(_ path: String) -> String {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        if name == "libc.so.6" || name.hasPrefix("libc-") || name == "libc.a" || name.hasPrefix("ld-linux") { return "the C library" }
        if ["perl", "python", "bash", "dash", "node", "ruby", "php", "lua", "gawk", "mawk", "libpython", "libperl"].contains(
            where: name.hasPrefix),
            path.contains("/bin/") || name.contains(".so") || name.hasPrefix("lib") && name.hasSuffix(".a")
        {
            return "interpreters"
        }
        if [".html", ".htm", ".css", ".js", ".svg"].contains(where: name.hasSuffix) { return "web pages and what they load" }
        return path.contains("/bin/") || path.contains("/sbin/") ? "other programs" : "libraries and all the rest"
    }
}
