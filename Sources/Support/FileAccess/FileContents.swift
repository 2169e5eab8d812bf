// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Whole files as bytes or text, bounded.
public enum FileContents {
    /// The first bytes of a regular file. Anything else is not opened: a device would be set going, a pipe could wait without
    /// end. It may take as long as the file system's server likes.
    ///
    /// - Parameters:
    ///   - maxBytes: how many are read at most; a longer file is cut.
    ///   - followLinks: whether a symbolic link at the path's end is followed.
    public static func bytes(_ path: String, maxBytes: Int, followLinks: Bool = true) throws(FileError) -> [UInt8] {
        try PathHandle(path, followLinks: followLinks).openFile().read(maxBytes: maxBytes)
    }

    /// The whole of a regular file.
    ///
    /// - Throws: ``FileError/tooLong`` where it has more bytes than that.
    public static func whole(_ path: String, maxBytes: Int, followLinks: Bool = true) throws(FileError) -> [UInt8] {
        try PathHandle(path, followLinks: followLinks).openFile().readWhole(maxBytes: maxBytes)
    }

    /// The whole of a regular file below a folder. Below the folder no link is followed, so that someone who may write there
    /// can't lead the reader elsewhere; the folder's own path may have links: it is the administrator's.
    ///
    /// - Parameter names: the folders below the folder, and the file; none may be "", ".", ".." or hold a slash.
    /// - Throws: ``FileError/tooLong`` where it has more bytes than that.
    public static func whole(in folder: String, _ names: [String], maxBytes: Int) throws(FileError) -> [UInt8] {
        guard let file = names.last, names.allSatisfy(isName) else { throw .system(EINVAL) }
        var place = try PathHandle(folder, mustBeFolder: true)
        for name in names.dropLast() { place = try PathHandle(name, in: place, mustBeFolder: true, followLinks: false) }
        return try PathHandle(file, in: place, followLinks: false).openFile().readWhole(maxBytes: maxBytes)
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(UInt8(ascii: "/"))
    }
}

/// Files that the kernel makes up while they are read (`/proc`, `/sys`). They state no length and give a page or so at a time:
/// a reader that takes a short read for the end (Foundation's do) loses the rest.
public enum ProcFS {
    /// In bytes; no such file comes near.
    public static let maxBytes = 64 << 20

    /// The file's bytes, at most so many; `nil` when it can't be opened or read.
    public static func bytes(_ path: String, maxBytes: Int = maxBytes) -> [UInt8]? {
        // Tests put ordinary folders in the place of /proc: O_NONBLOCK is for a pipe in them.
        guard let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK) else { return nil }
        return try? file.read(maxBytes: maxBytes)
    }

    /// The file as text, at most so many bytes of it; `nil` when it can't be opened or read.
    public static func text(_ path: String, maxBytes: Int = maxBytes) -> String? {
        bytes(path, maxBytes: maxBytes).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Where a symbolic link points; `nil` when there is none, or it can't be read.
    public static func link(_ path: String) -> String? {
        try? readLink(path, in: AT_FDCWD)
    }
}

/// The target of a symbolic link: at most 4,096 bytes, the longest path (PATH_MAX).
func readLink(_ name: String, in folder: Int32) throws(FileError) -> String {
    var room = [CChar](repeating: 0, count: 4096)
    let count = readlinkat(folder, name, &room, room.count)
    guard count > 0 else { throw .last }
    return String(decoding: room[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
