// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation
import ProcessInspection
import Scheduling

/// The C libraries that processes of this machine have mapped.
enum CLibraries {
    struct Library: Sendable {
        /// A path to the mapped file, even if its name has changed since.
        var path: String
        var inode: UInt64
        var device: UInt32
        /// The file offsets of the executable mappings.
        var executable: [(Int, Int)]
    }

    /// Containers may each have a library of their own.
    static let maxLibraries = 8

    /// The longest that reading a library may take, in seconds: its file system may not respond.
    private static let maxReadingSeconds = 2.0

    /// The frames of the libraries whose files can be read.
    ///
    /// - Parameter boundedWork: reads the files.
    static func frames(_ boundedWork: BoundedWork) -> some Sequence<LibraryFrames> {
        running().lazy.compactMap { library in
            let bytes = boundedWork.run(withinSeconds: maxReadingSeconds) { () -> [UInt8]? in
                try? FileContents.bytes(library.path, maxBytes: LibraryFrames.maxImageBytes + 1)
            }
            return bytes.flatMap { $0 }.flatMap { LibraryFrames(library, $0) }
        }
    }

    private static func running() -> [Library] {
        var found: [String: Library] = [:]
        let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { Int($0) } ?? []
        // PID 1 first: it has the machine's own library.
        for process in processes.sorted() where found.count < maxLibraries {
            guard let maps = ProcFS.text("/proc/\(process)/maps") else { continue }
            for entry in MapEntry.entries(inMaps: maps) where entry.protection.contains(.execute) && isCLibrary(entry.name) {
                let key = "\(entry.device) \(entry.inode) \(entry.offset)"
                guard found[key] == nil, let offset = Int(exactly: entry.offset) else { continue }
                let range = String(entry.start, radix: 16) + "-" + String(entry.end, radix: 16)
                found[key] = Library(
                    path: "/proc/\(process)/map_files/\(range)", inode: entry.inode,
                    device: entry.device.major << 20 | entry.device.minor,
                    executable: [(offset, offset + Int(entry.end - entry.start))])
            }
        }
        return Array(found.values)
    }

    private static func isCLibrary(_ name: String) -> Bool {
        guard let slash = name.lastIndex(of: "/") else { return false }
        let last = name[name.index(after: slash)...]
        return last.hasPrefix("libc.so") || last.hasPrefix("libc-2") || last.hasPrefix("libpthread") || last.hasPrefix("ld-musl")
    }
}
