import EpitopeModel
import Foundation

/// The regular files of folders, each once.
struct VerifyTree {
    struct File: Sendable {
        var path: String
        var size: Int
    }

    private struct Inode: Hashable {
        var device: UInt64
        var number: UInt64
    }

    private(set) var files: [File] = []
    /// Folders that can't be read, with the reason.
    private(set) var skipped: [VerifyReport.Skipped] = []
    private var seen: Set<Inode> = []

    /// - Throws: `search-path-missing` when a root isn't there. What can't be read below is kept in ``skipped``.
    init(_ roots: [String]) throws(EpitopeError) {
        for root in roots {
            // A root that is a link is what its user means; links below are not followed.
            var status = stat()
            guard stat(root, &status) == 0 else {
                throw EpitopeError(
                    .searchPathMissing, "\(root): \(String(cString: strerror(errno)))", remedy: "name a folder or file that is there")
            }
            take(root, status)
        }
    }

    private mutating func take(_ path: String, _ status: stat) {
        // Folders wait on a list of their own: a deep tree costs no stack.
        var folders: [String] = []
        enter(path, status, &folders)
        while let folder = folders.popLast() {
            guard let handle = opendir(folder) else {
                skipped.append(.init(path: folder, reason: String(cString: strerror(errno))))
                continue
            }
            defer { closedir(handle) }
            while let entry = readdir(handle) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard name != ".", name != ".." else { continue }
                let child = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
                var status = stat()
                guard lstat(child, &status) == 0 else {
                    skipped.append(.init(path: child, reason: String(cString: strerror(errno))))
                    continue
                }
                enter(child, status, &folders)
            }
        }
    }

    private mutating func enter(_ path: String, _ status: stat, _ folders: inout [String]) {
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFDIR || kind == S_IFREG,
            seen.insert(Inode(device: UInt64(status.st_dev), number: UInt64(status.st_ino))).inserted
        else { return }
        if kind == S_IFDIR { folders.append(path) } else { files.append(File(path: path, size: Int(status.st_size))) }
    }
}
