// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A regular file of the corpus in one state: a file that changed differs in at least one property.
struct CorpusFile: Hashable, Sendable {
    var path: String
    var size: UInt64
    /// In nanoseconds since 1970.
    var modified: Int64
    var device: UInt64
    var inode: UInt64

    init(path: String, size: UInt64, modified: Int64, device: UInt64, inode: UInt64) {
        self.path = path
        self.size = size
        self.modified = modified
        self.device = device
        self.inode = inode
    }

    /// `nil` if it is not a regular file.
    init?(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(path: path, status)
    }

    private init(path: String, _ status: stat) {
        self.init(
            path: path, size: UInt64(status.st_size),
            modified: Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec),
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// Folders of the kernel, which are not goodware: reading their files may not end, or have effects.
    private static let kernelFolders: Set<String> = ["/proc", "/sys", "/dev"]

    /// All regular files below the folders, each once even if it has several names, sorted by path. Symbolic links are not
    /// followed.
    ///
    /// - Parameter unreadable: called for each folder that can't be read, with the reason.
    static func below(_ folders: [String], unreadable: (String, String) -> Void) -> [CorpusFile] {
        struct Place: Hashable {
            var device: UInt64
            var inode: UInt64
        }
        var seen: Set<Place> = []
        var found: [CorpusFile] = []
        var waiting = folders
        while let path = waiting.popLast() {
            guard !kernelFolders.contains(path) else { continue }
            var status = stat()
            guard lstat(path, &status) == 0 else {
                unreadable(path, String(cString: strerror(errno)))
                continue
            }
            let place = Place(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
            switch status.st_mode & S_IFMT {
            case S_IFREG where status.st_size > 0:
                if seen.insert(place).inserted { found.append(CorpusFile(path: path, status)) }
            case S_IFDIR where seen.insert(place).inserted:
                guard let folder = opendir(path) else {
                    unreadable(path, String(cString: strerror(errno)))
                    continue
                }
                defer { closedir(folder) }
                while let entry = readdir(folder) {
                    let name = withUnsafePointer(to: &entry.pointee.d_name) {
                        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                    }
                    if name != "." && name != ".." { waiting.append(path == "/" ? "/" + name : path + "/" + name) }
                }
            default: break
            }
        }
        return found.sorted { $0.path < $1.path }
    }
}
