// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// A file that runs in a process and was deleted: what an intruder leaves who removes his program once it runs.
///
/// An upgrade deletes files that run, too, and must not alarm by itself. So a deletion counts as explained if
/// - there is something in the same place again, as after nearly every upgrade and build;
/// - or the package database of the process's root was written since shortly before the deletion: the package has the file no more;
/// - or it can't be told when the file was deleted.
/// Memory files and files of file systems in memory are evidence of another kind (``MappedFile``), and no file of these.
public struct DeletedFile: Hashable, Sendable {
    /// What was found of a file that a process runs.
    public struct Facts: Hashable, Sendable {
        /// Whether the file has a name, be it another than it had.
        public var isNamed: Bool
        /// Whether it lies in a file system in memory, or in none that the process sees.
        public var isInMemory: Bool
        /// Whether something else has its name now.
        public var isReplaced: Bool
        /// When it was deleted, in seconds since 1970; `nil`: that can't be known.
        public var deleted: Int64?
        /// When the package database was written last, in seconds since 1970; `nil` where there is none.
        public var packagesChanged: Int64?

        public init(isNamed: Bool, isInMemory: Bool, isReplaced: Bool, deleted: Int64?, packagesChanged: Int64?) {
            self.isNamed = isNamed
            self.isInMemory = isInMemory
            self.isReplaced = isReplaced
            self.deleted = deleted
            self.packagesChanged = packagesChanged
        }

        /// Whether the deletion is evidence.
        public var isUnexplained: Bool {
            guard !isNamed, !isInMemory, !isReplaced, let deleted else { return false }
            return packagesChanged.map { $0 < deleted - DeletedFile.upgradeSeconds } ?? true
        }
    }

    /// How long before a file's deletion an upgrade may have written to the package database for the last time, in seconds: it notes
    /// what it does before and after, and a large package takes minutes in between.
    public static let upgradeSeconds: Int64 = 900

    static let suffix = " (deleted)"
    private static let memoryFileSystems: Set<Substring> = ["tmpfs", "ramfs", "hugetlbfs", "devtmpfs"]

    /// What package managers write to at each change: their databases, and the folders of their journals.
    static let packageDatabases = [
        "var/lib/dpkg/status", "var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite-wal",
        "var/lib/rpm/Packages", "var/lib/rpm/Packages.db", "usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
        "usr/lib/sysimage/rpm/Packages.db", "lib/apk/db/installed", "usr/lib/apk/db/installed", "var/lib/pacman/local",
    ]

    /// The file's path, as it was.
    public let path: String

    /// Looks at the program of a process and at mapped files of it.
    ///
    /// No file that a program serves (FUSE) is asked for, so this never waits for the inspected process.
    ///
    /// - Parameters:
    ///   - mappings: of images that the call came through.
    /// - Returns: the first whose deletion nothing explains; `nil` if there is none.
    public static func find(in process: Int32, mappings: [MapEntry] = []) -> DeletedFile? {
        var files: [(path: String, handle: PathHandle)] = []
        for (link, name) in [("exe", ProcFS.link("/proc/\(process)/exe"))]
            + mappings.filter({ $0.inode != 0 }).map({ (mapFile($0), Optional($0.name)) })
        {
            guard let name, name.hasSuffix(suffix), name.hasPrefix("/"), let handle = try? PathHandle("/proc/\(process)/\(link)") else {
                continue
            }
            files.append((String(name.dropLast(suffix.count)), handle))
        }
        guard !files.isEmpty else { return nil }
        let served = ServedFiles(of: process)
        guard let root = try? PathHandle("/proc/\(process)/root") else { return nil }
        let changed = packageDatabases.compactMap { try? served.handle($0, from: root)?.facts().changed.seconds }.max()
        for (path, handle) in files {
            guard let found = facts(of: handle, path, process, served, root, packagesChanged: changed), found.isUnexplained else {
                continue
            }
            return DeletedFile(path: path)
        }
        return nil
    }

    /// The link to a mapping's file, which only privileged programs may follow.
    private static func mapFile(_ entry: MapEntry) -> String {
        "map_files/\(String(entry.start, radix: 16))-\(String(entry.end, radix: 16))"
    }

    private static func facts(
        of handle: PathHandle, _ path: String, _ process: Int32, _ served: ServedFiles, _ root: PathHandle, packagesChanged: Int64?
    ) -> Facts? {
        guard let facts = try? handle.facts(), facts.isRegular else { return nil }
        // What a process sees of a file's name may begin with the folder that it has as its root.
        let inner = ProcFS.link("/proc/\(process)/root").flatMap { $0 != "/" && path.hasPrefix($0 + "/") ? path.dropFirst($0.count) : nil }
        let names = [path] + (inner.map { [String($0)] } ?? [])
        return Facts(
            isNamed: facts.links > 0, isInMemory: served.fileSystem(of: facts).map(memoryFileSystems.contains) ?? true,
            isReplaced: names.contains { served.handle($0, from: root) != nil },
            deleted: facts.changed.seconds, packagesChanged: packagesChanged)
    }
}
