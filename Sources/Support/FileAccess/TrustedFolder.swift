// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A folder that nobody but the owners that a ``PathTrust`` names can put anything in, or put something else in the place of.
public struct TrustedFolder: Sendable {
    /// Without symbolic links, "." and "..": it can be used later without being checked again.
    public let path: String
    /// The folder that was checked, whatever becomes of its path.
    public let handle: PathHandle

    /// Walks to the folder from the root on, folder by folder, none of which is left before it was checked.
    ///
    /// - Parameter path: a relative one begins at the current folder.
    /// - Throws: a ``PathTrust/Fault`` for the first thing on the way that isn't trusted, or can't be looked at.
    public init(_ path: String, _ trust: PathTrust) throws(PathTrust.Fault) {
        var walk = try TrustWalk(trust)
        try walk.go(path)
        // A path that is the root, or ends in "..", came by here without being checked as the last one.
        try walk.check(isLast: true)
        self.path = walk.path.isEmpty ? "/" : walk.path
        handle = walk.folder
    }
}

/// A file that nobody but the owners that a ``PathTrust`` names can write, or put another in the place of.
public struct TrustedFile: Sendable {
    /// A folder, a link, or the file itself, as it was when it was checked.
    public struct Step: Hashable, Sendable {
        /// Without symbolic links above it, "." and "..".
        public var path: String
        /// A link's own.
        public var identity: FileIdentity
    }

    /// Without symbolic links, "." and "..".
    public let path: String
    /// All that was checked, the file last. As long as each step has its identity, the path leads to this file, in this state, and
    /// it is trusted.
    public let way: [Step]

    /// Checks the file and all folders on the way to it, those of links included. The file itself is not opened.
    ///
    /// - Throws: a ``PathTrust/Fault`` for the first thing on the way that isn't trusted, or can't be looked at.
    public init(_ path: String, _ trust: PathTrust) throws(PathTrust.Fault) {
        var walk = try TrustWalk(trust)
        guard let file = try walk.go(path, toFile: true) else {
            throw .init(path: path, reason: .unusable(.open, .system(EISDIR)))
        }
        self.path = file
        way = walk.steps
    }
}

/// The way from the root to a folder: each folder stays open, so that ".." leads back to the one that was checked.
private struct TrustWalk {
    /// How many symbolic links may be followed on the way (path_resolution(7)).
    private static let maxLinks = 40

    private let trust: PathTrust
    private var folders: [(handle: PathHandle, name: String)] = []
    private var linksFollowed = 0
    /// All that was checked so far, in this order.
    private(set) var steps: [TrustedFile.Step] = []

    init(_ trust: PathTrust) throws(PathTrust.Fault) {
        self.trust = trust
        do throws(FileError) {
            folders = [(try PathHandle("/", mustBeFolder: true), "")]
        } catch {
            throw .init(path: "/", reason: .unusable(.open, error))
        }
        try check(isLast: false)
    }

    var folder: PathHandle { folders[folders.count - 1].handle }

    /// The folder that was reached; empty for the root.
    var path: String { folders.dropFirst().map { "/" + $0.name }.joined() }

    /// Follows a path. With `toFile`, its last part is a file, which is checked and not entered.
    ///
    /// - Returns: the file's path without links; `nil` where the path ends at a folder.
    @discardableResult
    mutating func go(_ path: String, toFile: Bool = false) throws(PathTrust.Fault) -> String? {
        var ahead = Self.names(Self.absolute(path))
        while !ahead.isEmpty {
            let name = ahead.removeFirst()
            if name == ".." {
                goUp()
            } else if toFile, ahead.isEmpty {
                let status = try status(of: name)
                guard status.kind == .link else { return try checkFile(name, status) }
                ahead = try follow(try target(of: name, status), name)
            } else if let target = try enter(name, isLast: ahead.isEmpty) {
                ahead = try follow(target, name) + ahead
            }
        }
        return nil
    }

    private mutating func checkFile(_ name: String, _ status: FileStatus) throws(PathTrust.Fault) -> String {
        let file = path + "/" + name
        if let reason = trust.fault(owner: status.owner, permissions: status.permissions, isLast: true) {
            throw .init(path: file, reason: reason)
        }
        steps.append(.init(path: file, identity: status.identity))
        return file
    }

    /// Goes into a folder, which is made where it is missing and may be. A symbolic link gives its target instead.
    private mutating func enter(_ name: String, isLast: Bool) throws(PathTrust.Fault) -> String? {
        do throws(PathTrust.Fault) {
            let status = try status(of: name)
            if status.kind == .link { return try target(of: name, status) }
        } catch {
            guard case .unusable(_, .system(ENOENT)) = error.reason, let mode = modeOfMissing(isLast: isLast) else { throw error }
            guard mkdirat(folder.descriptor, name, mode) == 0 || errno == EEXIST else { throw fault(name, .make, .last) }
        }
        do throws(FileError) {
            folders.append((try PathHandle(name, in: folder, mustBeFolder: true, followLinks: false), name))
        } catch {
            throw fault(name, .open, error)
        }
        try check(isLast: isLast)
        return nil
    }

    private func modeOfMissing(isLast: Bool) -> UInt32? {
        switch trust.missing {
        case .isRefused: nil
        case .lastIsMade(let mode): isLast ? mode : nil
        case .isMade(let mode): mode
        }
    }

    private func status(of name: String) throws(PathTrust.Fault) -> FileStatus {
        // The C library would take a zero byte for the name's end.
        guard !name.utf8.contains(0) else { throw fault(name, .inspect, .system(EINVAL)) }
        do throws(FileError) { return try FileStatus(name, in: folder.descriptor) } catch { throw fault(name, .inspect, error) }
    }

    private mutating func target(of name: String, _ link: FileStatus) throws(PathTrust.Fault) -> String {
        guard trust.followsLinks else { throw .init(path: path + "/" + name, isLink: true, reason: .isLink) }
        // Only who may write in this folder can have made it, but in a sticky one that is everybody.
        guard trust.isTrusted(link.owner) else {
            throw .init(path: path + "/" + name, isLink: true, reason: .foreignOwner(link.owner))
        }
        steps.append(.init(path: path + "/" + name, identity: link.identity))
        do throws(FileError) { return try readLink(name, in: folder.descriptor) } catch { throw fault(name, .follow, error) }
    }

    /// The names that a link's target leads through, from where the walk is now.
    private mutating func follow(_ target: String, _ name: String) throws(PathTrust.Fault) -> [String] {
        linksFollowed += 1
        guard linksFollowed <= Self.maxLinks else { throw .init(path: path + "/" + name, isLink: true, reason: .tooManyLinks) }
        if target.hasPrefix("/") { folders.removeLast(folders.count - 1) }
        return Self.names(target)
    }

    private mutating func goUp() {
        if folders.count > 1 { folders.removeLast() }
    }

    /// Checks the folder that was reached.
    mutating func check(isLast: Bool) throws(PathTrust.Fault) {
        let here = path.isEmpty ? "/" : path
        let status: FileStatus
        do throws(FileError) { status = try folder.status() } catch { throw .init(path: here, reason: .unusable(.inspect, error)) }
        if let reason = trust.fault(owner: status.owner, permissions: status.permissions, isLast: isLast) {
            throw .init(path: here, reason: reason)
        }
        steps.append(.init(path: here, identity: status.identity))
    }

    private func fault(_ name: String, _ step: PathTrust.Fault.Step, _ error: FileError) -> PathTrust.Fault {
        PathTrust.Fault(path: path + "/" + name, reason: .unusable(step, error))
    }

    private static func names(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init).filter { $0 != "." }
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        var room = [CChar](repeating: 0, count: 4096)
        guard getcwd(&room, room.count) != nil else { return "/" + path }
        return String(decoding: room.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) + "/" + path
    }
}
