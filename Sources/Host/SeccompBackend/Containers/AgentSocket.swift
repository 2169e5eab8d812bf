// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc

/// The socket over which runtimes hand over containers, at a path that only root can replace, move or reach.
final class AgentSocket: Sendable {
    let descriptor: Int32
    private let folder: Int32
    private let name: String
    private let inode: UInt64

    /// Creates the socket. Replaces a socket of root's that no process listens at any more, and nothing else.
    ///
    /// - Parameter path: absolute, without links in it. Its last folder is created if it is missing.
    /// - Throws: `socket-path-unsafe`, `socket-in-use`, `socket-unavailable`.
    init(path: String) throws(EpitopeError) {
        let folder = try AgentFolder.open(containing: path)
        do throws(EpitopeError) {
            // Two agents that start at once take turns. Closing the descriptor unlocks it in any case.
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

    /// Makes accepting at ``descriptor`` fail, from any thread, and removes the name if it is still this socket's.
    func shutDown() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        var status = stat()
        if fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0, UInt64(status.st_ino) == inode { unlinkat(folder, name, 0) }
    }

    deinit {
        close(descriptor)
        close(folder)
    }

    /// Removes a stale socket.
    private static func clear(_ folder: AgentFolder, _ path: String) throws(EpitopeError) {
        var status = stat()
        guard fstatat(folder.descriptor, folder.name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return }
            throw unavailable(path, errno)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK, status.st_uid == 0 else {
            throw EpitopeError(
                .socketPathUnsafe, "\(path) exists already and isn't a socket of root's",
                remedy: "Move it away, or use another path.")
        }
        switch epitope_try_connect(folder.descriptor, folder.name) {
        case -ECONNREFUSED: break
        case 0:
            throw EpitopeError(
                .socketInUse, "another process listens at \(path)",
                remedy: "Stop the other agent (ss -xlp shows it), or use another path.")
        case let failure: throw unavailable(path, -failure)
        }
        guard unlinkat(folder.descriptor, folder.name, 0) == 0 else { throw unavailable(path, errno) }
    }

    private static func unavailable(_ path: String, _ errno: Int32) -> EpitopeError {
        EpitopeError(
            .socketUnavailable, "no socket could be created at \(path): \(String(cString: strerror(errno)))",
            remedy: "Use a path in a folder on a local file system that root can write to, such as /run/epitope/seccomp.sock.")
    }
}

/// A folder that only root can change or replace.
struct AgentFolder {
    /// An open descriptor of the folder that was checked, even if its path changes; the receiver's to close.
    var descriptor: Int32
    /// The last part of the path.
    var name: String

    /// Goes down the path folder by folder without following links.
    ///
    /// - Throws: `socket-path-unsafe`.
    static func open(containing path: String) throws(EpitopeError) -> AgentFolder {
        let names = path.split(separator: "/").map(String.init)
        guard path.hasPrefix("/"), !path.hasSuffix("/"), let name = names.last, !names.contains("."), !names.contains(".."),
            !path.utf8.contains(0)
        else { throw refused(path, "isn't an absolute path of a file") }
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
                let why = errno == ENOTDIR ? "is a link, or isn't a folder" : "can't be opened (\(String(cString: strerror(errno))))"
                throw refused(path, "leads through \(reached), which \(why)")
            }
            var status = stat()
            guard fstat(current, &status) == 0, isSafe(mode: status.st_mode, owner: status.st_uid, holdsSocket: isLast) else {
                close(current)
                throw refused(path, "leads through \(reached), which users other than root can write to")
            }
        }
        guard names.count > 1, current >= 0 else {
            if current >= 0 { close(current) }
            throw refused(path, "is directly in the root folder")
        }
        return AgentFolder(descriptor: current, name: name)
    }

    /// Whether only root can replace what root created in a folder. Above the last folder a sticky one (`/tmp`) is enough:
    /// other users can neither move nor remove root's files in it.
    static func isSafe(mode: mode_t, owner: uid_t, holdsSocket: Bool) -> Bool {
        guard owner == 0 else { return false }
        let othersWrite = mode & (S_IWGRP | S_IWOTH) != 0
        return !othersWrite || (mode & S_ISVTX != 0 && !holdsSocket)
    }

    /// O_PATH of fcntl.h on x86 and arm64, which Swift does not import.
    private static let pathOnly: Int32 = 0o10000000

    private static func refused(_ path: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .socketPathUnsafe, "\(path) \(reason)",
            remedy: "Use a path without links, in a folder that only root can write to, such as /run/epitope/seccomp.sock.")
    }
}
