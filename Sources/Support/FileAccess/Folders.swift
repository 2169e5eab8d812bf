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

    /// Calls the body with each name in a folder, as the kernel has it, in no order, without "." and "..", until it returns
    /// `false`. Costs one pass over the folder, and the memory of one name.
    ///
    /// - Throws: also where the folder can be read in part only: a listing that ends too soon would pass for a whole one.
    public static func eachName(in folder: PathHandle, _ body: ([UInt8]) -> Bool) throws(FileError) {
        let opened = try FileDescriptor(RawPath("."), O_RDONLY | O_DIRECTORY, in: folder)
        // The stream closes its descriptor.
        let number = dup(opened.number)
        guard number >= 0 else { throw .last }
        guard let stream = fdopendir(number) else {
            let failure = FileError.last
            close(number)
            throw failure
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else { throw .last }
                return
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name == [0x2e] || name == [0x2e, 0x2e] { continue }
            guard body(name) else { return }
        }
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
