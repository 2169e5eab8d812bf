// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Folders: made, listed, written through to the disk.
public enum Folders {
    /// The names in a folder, at most so many, in no order, without "." and "..".
    public static func names(_ path: String, maxCount: Int = .max) throws(FileError) -> [String] {
        guard let folder = opendir(path) else { throw .last }
        defer { closedir(folder) }
        var names: [String] = []
        while names.count < maxCount, let entry = readdir(folder) {
            // d_name ends with a zero byte (readdir(3)).
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes a folder, and those above it, where they are missing. Those that are there stay as they are.
    ///
    /// - Parameter mode: the rights of each that is made, less those that the umask takes away.
    public static func make(_ path: String, mode: UInt32) throws(FileError) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, case let above = parent(of: path), above != "/", above != "." else { throw .last }
        try make(above, mode: mode)
        guard mkdir(path, mode) == 0 || errno == EEXIST else { throw .last }
    }

    /// The path without its last part; "." where it has only one.
    public static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Writes a folder's entries through to the disk, so that a file that was made or renamed in it is there after a crash. A
    /// file system that has no such operation (EINVAL of fsync(2)) has done all that it can.
    public static func synchronize(_ path: String) throws(FileError) {
        let folder = try FileDescriptor(path, O_RDONLY | O_DIRECTORY)
        guard fsync(folder.number) == 0 || errno == EINVAL else { throw .last }
    }
}
