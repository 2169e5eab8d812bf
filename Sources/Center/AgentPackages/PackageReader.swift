// SPDX-License-Identifier: Apache-2.0

import CArchive
import EpitopeModel
import FoundationEssentials
import SecureChannel

/// Reads programs out of a package: an archive in any form that libarchive knows, and the archive in a Debian package.
enum PackageReader {
    /// Of the entries of one archive.
    private static let maxEntries = 10_000
    private static let chunkBytes = 1 << 20

    /// - Parameters:
    ///   - names: the programs' names, without their folders.
    ///   - path: for errors.
    /// - Throws: `agent-package-unusable`.
    static func programs(named names: [String], in package: Data, of path: String) throws(EpitopeError) -> [String: Data] {
        var found: [String: Data] = [:]
        var inner: Data?
        try eachEntry(of: package, path) { (name, read) throws(EpitopeError) in
            let last = String(name.split(separator: "/").last ?? "")
            if names.contains(last), found[last] == nil {
                found[last] = try read(AgentManifest.maxFileBytes)
            } else if last.hasPrefix("data.tar"), inner == nil {
                inner = try read(AgentPackage.maxPackageBytes)
            }
        }
        // A Debian package has the archive of its files in it; nothing deeper is looked into.
        if found.isEmpty, let inner {
            try eachEntry(of: inner, path) { (name, read) throws(EpitopeError) in
                let last = String(name.split(separator: "/").last ?? "")
                if names.contains(last), found[last] == nil { found[last] = try read(AgentManifest.maxFileBytes) }
            }
        }
        return found
    }

    private static func eachEntry(
        of bytes: Data, _ path: String, _ body: (String, (Int) throws(EpitopeError) -> Data) throws(EpitopeError) -> Void
    ) throws(EpitopeError) {
        guard let archive = archive_read_new() else { throw AgentPackage.unusable(path, "no memory") }
        defer { archive_read_free(archive) }
        archive_read_support_filter_all(archive)
        archive_read_support_format_all(archive)
        let content = [UInt8](bytes)
        var failure: EpitopeError?
        content.withUnsafeBytes { buffer in
            do throws(EpitopeError) {
                try read(archive, buffer, path, body)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private static func read(
        _ archive: OpaquePointer, _ buffer: UnsafeRawBufferPointer, _ path: String,
        _ body: (String, (Int) throws(EpitopeError) -> Data) throws(EpitopeError) -> Void
    ) throws(EpitopeError) {
        func problem() -> EpitopeError {
            AgentPackage.unusable(
                path, "it is no archive that can be read: \(archive_error_string(archive).map { String(cString: $0) } ?? "no detail")")
        }
        guard archive_read_open_memory(archive, buffer.baseAddress, buffer.count) == ARCHIVE_OK else { throw problem() }
        var entry: OpaquePointer?
        for _ in 0..<maxEntries {
            let result = archive_read_next_header(archive, &entry)
            if result == ARCHIVE_EOF { return }
            guard result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry else { throw problem() }
            guard let name = archive_entry_pathname(entry).map({ String(cString: $0) }), archive_entry_size(entry) > 0 else { continue }
            try body(name) { (maxBytes) throws(EpitopeError) in
                var data = Data()
                var chunk = [UInt8](repeating: 0, count: chunkBytes)
                while true {
                    let count = archive_read_data(archive, &chunk, chunk.count)
                    if count == 0 { return data }
                    guard count > 0 else { throw problem() }
                    guard data.count + count <= maxBytes else {
                        throw AgentPackage.unusable(path, "\(name) is larger than \(maxBytes >> 20) MB")
                    }
                    data.append(contentsOf: chunk[..<count])
                }
            }
        }
        throw AgentPackage.unusable(path, "it has more than \(maxEntries) entries")
    }
}
