// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FileAccess
import Glibc

/// The socket over which runtimes hand over containers, at a path that only root can replace, move or reach.
final class AgentSocket: Sendable {
    let descriptor: Int32
    private let folder: PathHandle
    private let name: String
    private let inode: UInt64

    /// Creates the socket. Replaces a socket of root's that no process listens at any more, and nothing else.
    ///
    /// - Parameter path: absolute, without links in it. Its last folder is created if it is missing.
    /// - Throws: `socket-path-unsafe`, `socket-in-use`, `socket-unavailable`.
    init(path: String) throws(EpitopeError) {
        let folder = try AgentFolder(containing: path)
        // Two agents that start at once take turns. Closing the descriptor unlocks it in any case.
        let lock = openat(folder.handle.descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { if lock >= 0 { close(lock) } }
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else { throw Self.unavailable(path, errno) }
        try Self.clear(folder, path)
        descriptor = epitope_listen_in(folder.handle.descriptor, folder.name)
        guard descriptor >= 0 else { throw Self.unavailable(path, -descriptor) }
        self.folder = folder.handle
        name = folder.name
        inode = (try? FileStatus(name, in: folder.handle.descriptor).identity.inode) ?? 0
    }

    /// Makes accepting at ``descriptor`` fail, from any thread, and removes the name if it is still this socket's.
    func shutDown() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        if (try? FileStatus(name, in: folder.descriptor).identity.inode) == inode { unlinkat(folder.descriptor, name, 0) }
    }

    deinit {
        close(descriptor)
    }

    /// Removes a stale socket.
    private static func clear(_ folder: AgentFolder, _ path: String) throws(EpitopeError) {
        let status: FileStatus
        do throws(FileError) {
            status = try FileStatus(folder.name, in: folder.handle.descriptor)
        } catch {
            if error.number == ENOENT { return }
            throw unavailable(path, error.number)
        }
        guard status.kind == .socket, status.owner == 0 else {
            throw EpitopeError(
                .socketPathUnsafe, "\(path) exists already and isn't a socket of root's",
                remedy: "move it away, or use another path")
        }
        switch epitope_try_connect(folder.handle.descriptor, folder.name) {
        case -ECONNREFUSED: break
        case 0:
            throw EpitopeError(
                .socketInUse, "another process listens at \(path)",
                remedy: "stop the other agent (ss -xlp shows it), or use another path")
        case let failure: throw unavailable(path, -failure)
        }
        guard unlinkat(folder.handle.descriptor, folder.name, 0) == 0 else { throw unavailable(path, errno) }
    }

    private static func unavailable(_ path: String, _ errno: Int32) -> EpitopeError {
        EpitopeError(
            .socketUnavailable, "no socket could be created at \(path): \(String(cString: strerror(errno)))",
            remedy: "use a path in a folder on a local file system that root can write to, such as /run/epitope/seccomp.sock")
    }
}

/// The folder of the socket, which only root can change or replace.
private struct AgentFolder {
    let handle: PathHandle
    /// The last part of the socket's path.
    let name: String

    /// Goes down the path folder by folder, following no link. The last folder is created if it is missing.
    init(containing path: String) throws(EpitopeError) {
        let names = path.split(separator: "/").map(String.init)
        guard path.hasPrefix("/"), !path.hasSuffix("/"), let name = names.last, !names.contains("."), !names.contains(".."),
            !path.utf8.contains(0)
        else { throw Self.refused(path, "isn't an absolute path of a file") }
        guard names.count > 1 else { throw Self.refused(path, "is directly in the root folder") }
        // Above the last folder a sticky one (`/tmp`) is enough: other users can neither move nor remove root's files in it.
        let trust = PathTrust(followsLinks: false, allowsSticky: true, missing: .lastIsMade(mode: 0o755))
        do {
            handle = try TrustedFolder(Folders.parent(of: path), trust).handle
        } catch {
            throw Self.refused(path, error)
        }
        self.name = name
    }

    private static func refused(_ path: String, _ fault: PathTrust.Fault) -> EpitopeError {
        let why =
            switch fault.reason {
            case .foreignOwner, .writableByOthers: "users other than root can write to"
            case .isLink, .tooManyLinks, .unusable(.open, .system(ENOTDIR)): "is a link, or isn't a folder"
            case .unusable(_, let error): "can't be opened (\(error))"
            }
        return refused(path, "leads through \(fault.path), which \(why)")
    }

    private static func refused(_ path: String, _ reason: String) -> EpitopeError {
        EpitopeError(
            .socketPathUnsafe, "\(path) \(reason)",
            remedy: "use a path without links, in a folder that only root can write to, such as /run/epitope/seccomp.sock")
    }
}
