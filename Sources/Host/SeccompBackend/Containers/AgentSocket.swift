// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FileAccess
import Glibc

/// The socket that runtimes hand containers over by: at a path that nobody but root can take, move or reach.
final class AgentSocket: Sendable {
    let descriptor: Int32
    private let folder: PathHandle
    private let name: String
    private let inode: UInt64

    /// Makes the socket. A socket of root's that nobody listens at any more is replaced; nothing else is.
    ///
    /// - Parameter path: absolute, without links in it. Its last folder is made where it is missing.
    /// - Throws: `socket-path-unsafe`, `socket-in-use`, `socket-unavailable`.
    init(path: String) throws(EpitopeError) {
        let folder = try AgentFolder(containing: path)
        // Two agents that start at once: one after the other. Closed, and with that unlocked, in any case.
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

    /// Ends ``descriptor``'s accepting, from any thread, and takes the name away if it is this socket's still.
    func shutDown() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        if (try? FileStatus(name, in: folder.descriptor).identity.inode) == inode { unlinkat(folder.descriptor, name, 0) }
    }

    deinit {
        close(descriptor)
    }

    /// Makes room for the socket.
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
                .socketPathUnsafe, "\(path) is there already, and is no socket of root's",
                remedy: "Look at what it is, and move it away or name another path.")
        }
        switch epitope_try_connect(folder.handle.descriptor, folder.name) {
        case -ECONNREFUSED: break
        case 0:
            throw EpitopeError(
                .socketInUse, "another process listens at \(path)",
                remedy: "End the other agent (ss -xlp names it), or name another path.")
        case let failure: throw unavailable(path, -failure)
        }
        guard unlinkat(folder.handle.descriptor, folder.name, 0) == 0 else { throw unavailable(path, errno) }
    }

    private static func unavailable(_ path: String, _ errno: Int32) -> EpitopeError {
        EpitopeError(
            .socketUnavailable, "no socket could be made at \(path): \(String(cString: strerror(errno)))",
            remedy: "Name a path in a folder on a local file system that root can write, such as /run/epitope/seccomp.sock.")
    }
}

/// The folder that holds the socket: only root can change it, or put another one in the place of it.
private struct AgentFolder {
    let handle: PathHandle
    /// The last part of the socket's path.
    let name: String

    /// Goes down the path folder by folder, following no link. The last folder is made where it is missing.
    init(containing path: String) throws(EpitopeError) {
        let names = path.split(separator: "/").map(String.init)
        guard path.hasPrefix("/"), !path.hasSuffix("/"), let name = names.last, !names.contains("."), !names.contains(".."),
            !path.utf8.contains(0)
        else { throw Self.refused(path, "is no absolute path of a file") }
        guard names.count > 1 else { throw Self.refused(path, "lies in the root folder itself") }
        // Above the last folder a sticky one (`/tmp`) will do: what is root's in it can be neither moved nor removed by others.
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
            case .foreignOwner, .writableByOthers: "others than root can write to"
            case .isLink, .tooManyLinks, .unusable(.open, .system(ENOTDIR)): "is a link or no folder"
            case .unusable(_, let error): "can't be opened (\(error))"
            }
        return refused(path, "leads through \(fault.path), which \(why)")
    }

    private static func refused(_ path: String, _ what: String) -> EpitopeError {
        EpitopeError(
            .socketPathUnsafe, "\(path) \(what)",
            remedy: "Name a path without links in a folder that only root can write, such as /run/epitope/seccomp.sock.")
    }
}
