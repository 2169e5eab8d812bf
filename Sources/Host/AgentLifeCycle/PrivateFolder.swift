// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc

/// A folder that only root and the agent's own user can put anything in, or put something else in the place of: so is every
/// folder above it, so that its path can be used later on without being looked at again.
public struct PrivateFolder: Sendable {
    /// Without symbolic links.
    public let path: String

    /// The most symbolic links on the way (as path_resolution(7) has it).
    private static let mostLinks = 40

    /// Walks to the folder from the root on; what is missing is made, with mode 0700.
    ///
    /// - Throws: `folder-not-private`, `folder-unusable`.
    public init(_ path: String) throws(EpitopeError) { try self.init(path, user: geteuid()) }

    /// - Parameter user: who, besides root, may own what is on the way.
    init(_ path: String, user: UInt32) throws(EpitopeError) {
        var walk = try Walk(user: user)
        var ahead = Self.names(path.hasPrefix("/") ? path : Self.currentFolder() + "/" + path)
        var links = 0
        while !ahead.isEmpty {
            let name = ahead.removeFirst()
            if name == ".." {
                try walk.goUp()
                continue
            }
            guard let target = try walk.enter(name, isLast: ahead.isEmpty) else { continue }
            links += 1
            guard links <= Self.mostLinks else { throw .unusable(path, "too many symbolic links", ELOOP) }
            if target.hasPrefix("/") { try walk.goToRoot() }
            ahead = Self.names(target) + ahead
        }
        self.path = walk.path.isEmpty ? "/" : walk.path
        // A path that is the root, or ends in "..", came by here without being looked at as the last one.
        try walk.check(isLast: true)
    }

    private static func names(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init).filter { $0 != "." }
    }

    private static func currentFolder() -> String {
        var room = [CChar](repeating: 0, count: 4096)
        guard getcwd(&room, room.count) != nil else { return "" }
        return String(decoding: room.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Open on one folder after the other, none of which is left before it was looked at.
    private struct Walk: ~Copyable {
        private var folders: [(descriptor: Int32, name: String)] = []
        private let user: UInt32

        init(user: UInt32) throws(EpitopeError) {
            self.user = user
            try open("/", at: AT_FDCWD)
            try check(isLast: false)
        }

        deinit {
            for folder in folders { close(folder.descriptor) }
        }

        var path: String { folders.dropFirst().map { "/" + $0.name }.joined() }

        /// Goes into a folder, which is made where there is none. A symbolic link gives its target instead.
        mutating func enter(_ name: String, isLast: Bool) throws(EpitopeError) -> String? {
            let here = folders[folders.count - 1].descriptor
            var status = stat()
            if fstatat(here, name, &status, AT_SYMLINK_NOFOLLOW) != 0 {
                guard errno == ENOENT else { throw .unusable(path + "/" + name, "it can't be looked at", errno) }
                guard mkdirat(here, name, 0o700) == 0 || errno == EEXIST else {
                    throw .unusable(path + "/" + name, "it can't be made", errno)
                }
            } else if status.st_mode & S_IFMT == S_IFLNK {
                // Only who may write in this folder can have made it, but in a sticky one that is everybody.
                guard status.st_uid == 0 || status.st_uid == user else {
                    throw .notPrivate(path + "/" + name, .foreignOwner(status.st_uid), isLink: true)
                }
                var room = [UInt8](repeating: 0, count: 4096)
                let count = readlinkat(here, name, &room, room.count)
                guard count > 0 else { throw .unusable(path + "/" + name, "it can't be followed", errno) }
                return String(decoding: room[..<count], as: UTF8.self)
            }
            try open(name, at: here)
            try check(isLast: isLast)
            return nil
        }

        mutating func goUp() throws(EpitopeError) {
            if folders.count > 1 { close(folders.removeLast().descriptor) }
        }

        mutating func goToRoot() throws(EpitopeError) {
            while folders.count > 1 { close(folders.removeLast().descriptor) }
        }

        func check(isLast: Bool) throws(EpitopeError) {
            var status = stat()
            guard fstat(folders[folders.count - 1].descriptor, &status) == 0 else { throw .unusable(path, "it can't be looked at", errno) }
            let trust = FolderTrust(owner: status.st_uid, mode: status.st_mode & 0o7777, isLast: isLast)
            if let fault = trust.fault(user: user) { throw .notPrivate(path.isEmpty ? "/" : path, fault, isLink: false) }
        }

        private mutating func open(_ name: String, at folder: Int32) throws(EpitopeError) {
            let descriptor = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else { throw .unusable(path + "/" + name, "it can't be opened", errno) }
            folders.append((descriptor, name))
        }
    }
}

extension EpitopeError {
    fileprivate static func notPrivate(_ path: String, _ fault: FolderTrust.Fault, isLink: Bool) -> EpitopeError {
        let what = isLink ? "the symbolic link \(path)" : "the folder \(path)"
        let remedy = "choose a folder that belongs to root, as do all above it, or"
        switch fault {
        case .foreignOwner(let owner):
            return EpitopeError(
                .folderNotPrivate, "\(what) belongs to user \(owner), who could replace the agent's files",
                remedy: "\(remedy): chown root:root \(path)")
        case .writableByOthers(let mode):
            return EpitopeError(
                .folderNotPrivate, "\(what) is writable by users other than its owner (mode \(String(mode, radix: 8)))",
                remedy: "\(remedy): chmod go-w \(path)")
        }
    }

    fileprivate static func unusable(_ path: String, _ what: String, _ cause: Int32) -> EpitopeError {
        EpitopeError(
            .folderUnusable, "the folder \(path) can't be used: \(what) (\(String(cString: strerror(cause))))",
            remedy: "check that it is a folder, that the disk has space, and that its file system is writable")
    }
}
