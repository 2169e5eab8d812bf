// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc

/// The socket that runtimes hand containers over by: at a path that nobody but root can take, move or reach.
final class AgentSocket: Sendable {
    let descriptor: Int32
    private let folder: Int32
    private let name: String
    private let inode: UInt64

    /// Makes the socket. A socket of root's that nobody listens at any more is replaced; nothing else is.
    ///
    /// - Parameter path: absolute, without links in it. Its last folder is made where it is missing.
    /// - Throws: `socket-path-unsafe`, `socket-in-use`, `socket-unavailable`.
    init(path: String) throws(EpitopeError) {
        let folder = try AgentFolder.open(containing: path)
        do throws(EpitopeError) {
            // Two agents that start at once: one after the other. Closed, and with that unlocked, in any case.
            let lock = openat(folder.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            defer { if lock >= 0 { close(lock) } }
            guard lock >= 0, flock(lock, LOCK_EX) == 0 else { throw Self.unavailable(path, errno) }
            try Self.clear(folder, path)
            descriptor = epitope_listen_in(folder.descriptor, folder.name)
            guard descriptor >= 0 else { throw Self.unavailable(path, -descriptor) }
        } catch {
            close(folder.descriptor)
            throw error
        }
        var status = stat()
        inode = fstatat(folder.descriptor, folder.name, &status, AT_SYMLINK_NOFOLLOW) == 0 ? UInt64(status.st_ino) : 0
        self.folder = folder.descriptor
        name = folder.name
    }

    /// Ends ``descriptor``'s accepting, from any thread, and takes the name away if it is this socket's still.
    func shutDown() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        var status = stat()
        if fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0, UInt64(status.st_ino) == inode { unlinkat(folder, name, 0) }
    }

    deinit {
        close(descriptor)
        close(folder)
    }

    /// Makes room for the socket.
    private static func clear(_ folder: AgentFolder, _ path: String) throws(EpitopeError) {
        var status = stat()
        guard fstatat(folder.descriptor, folder.name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return }
            throw unavailable(path, errno)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == 0 else {
            throw EpitopeError(
                .socketPathUnsafe, "\(path) is there already, and is no socket of root's",
                remedy: "Look at what it is, and move it away or name another path.")
        }
        switch epitope_try_connect(folder.descriptor, folder.name) {
        case -ECONNREFUSED: break
        case 0:
            throw EpitopeError(
                .socketInUse, "another process listens at \(path)",
                remedy: "End the other agent (ss -xlp names it), or name another path.")
        case let failure: throw unavailable(path, -failure)
        }
        guard unlinkat(folder.descriptor, folder.name, 0) == 0 else { throw unavailable(path, errno) }
    }

    private static func unavailable(_ path: String, _ errno: Int32) -> EpitopeError {
        EpitopeError(
            .socketUnavailable, "no socket could be made at \(path): \(String(cString: strerror(errno)))",
            remedy: "Name a path in a folder on a local file system that root can write, such as /run/epitope/seccomp.sock.")
    }
}

/// A folder that only root can change, and that only root can put another one in the place of.
struct AgentFolder {
    /// Opened, which is the folder that was checked whatever becomes of its path; the receiver's to close.
    var descriptor: Int32
    /// The last part of the path.
    var name: String

    /// Goes down the path folder by folder, following no link.
    static func open(containing path: String) throws(EpitopeError) -> AgentFolder {
        let names = path.split(separator: "/").map(String.init)
        guard path.hasPrefix("/"), !path.hasSuffix("/"), let name = names.last, !names.contains("."), !names.contains(".."),
            !path.utf8.contains(0)
        else { throw refused(path, "is no absolute path of a file") }
        var current = Glibc.open("/", pathOnly | O_DIRECTORY | O_CLOEXEC)
        var reached = ""
        for (index, folder) in names.dropLast().enumerated() {
            let isLast = index == names.count - 2
            reached += "/\(folder)"
            let above = current
            defer { close(above) }
            current = openat(above, folder, pathOnly | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if current < 0, errno == ENOENT, isLast, mkdirat(above, folder, 0o755) == 0 {
                current = openat(above, folder, pathOnly | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            guard current >= 0 else {
                let why = errno == ENOTDIR ? "is a link or no folder" : "can't be opened (\(String(cString: strerror(errno))))"
                throw refused(path, "leads through \(reached), which \(why)")
            }
            var status = stat()
            guard fstat(current, &status) == 0, isSafe(mode: status.st_mode, owner: status.st_uid, holdsSocket: isLast) else {
                close(current)
                throw refused(path, "leads through \(reached), which others than root can write to")
            }
        }
        guard names.count > 1, current >= 0 else {
            if current >= 0 { close(current) }
            throw refused(path, "lies in the root folder itself")
        }
        return AgentFolder(descriptor: current, name: name)
    }

    /// Whether what lies in a folder stays what root made it. Above the last one a sticky folder (`/tmp`) will do: what is
    /// root's in it can be neither moved nor removed by others.
    static func isSafe(mode: mode_t, owner: uid_t, holdsSocket: Bool) -> Bool {
        guard owner == 0 else { return false }
        let othersWrite = mode & (S_IWGRP | S_IWOTH) != 0
        return !othersWrite || (mode & S_ISVTX != 0 && !holdsSocket)
    }

    /// O_PATH of fcntl.h on x86 and arm64, which Swift does not import.
    private static let pathOnly: Int32 = 0o10000000

    private static func refused(_ path: String, _ what: String) -> EpitopeError {
        EpitopeError(
            .socketPathUnsafe, "\(path) \(what)",
            remedy: "Name a path without links in a folder that only root can write, such as /run/epitope/seccomp.sock.")
    }
}
