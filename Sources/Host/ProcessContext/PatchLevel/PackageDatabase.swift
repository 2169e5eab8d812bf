// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// A root's package database, in the state that it was found in: what it says of a few packages, and when it changed. Its content is
/// the root's, so it isn't trusted: it is read within bounds, by code that can't be led astray by it.
struct PackageDatabase: Sendable {
    enum Kind: Hashable, Sendable {
        case dpkg
        case rpm
        case apk
    }

    /// Where each is kept; the first that is there counts. rpm's newer systems have theirs below `/usr`, with a link in the old place.
    private static let places: [(kind: Kind, path: String)] = [
        (.dpkg, DpkgFiles.status),
        (.rpm, "/usr/lib/sysimage/rpm/rpmdb.sqlite"), (.rpm, "/var/lib/rpm/rpmdb.sqlite"),
        (.rpm, "/usr/lib/sysimage/rpm/Packages.db"), (.rpm, "/var/lib/rpm/Packages.db"), (.rpm, "/var/lib/rpm/Packages"),
        (.apk, "/lib/apk/db/installed"), (.apk, "/usr/lib/apk/db/installed"),
    ]

    let kind: Kind
    let path: String
    let identity: FileIdentity
    private let root: RootFolder

    /// `nil` where the root has none that is known.
    init?(root: RootFolder) {
        for (kind, path) in Self.places {
            guard let identity = root.identity(path) else { continue }
            (self.kind, self.path, self.identity, self.root) = (kind, path, identity, root)
            return
        }
        return nil
    }

    /// When packages were last installed, updated or removed, in milliseconds since 1970.
    var changedMilliseconds: Int64? {
        var time = identity.modified
        // What SQLite wrote last may still stand beside the file.
        if kind == .rpm, let log = root.identity(path + "-wal"), log.size > 0 { time = max(time, log.modified) }
        guard (0...Int64(253_402_300_799)).contains(time.seconds) else { return nil }
        return time.seconds * 1000 + time.nanoseconds / 1_000_000
    }

    /// The installed version of a package: with its revision, without an epoch; `nil` where the database doesn't say, or has several.
    func version(of package: String) -> String? {
        let versions = Set(versions(of: package))
        return versions.count == 1 ? versions.first : nil
    }

    /// All installed versions of a package: of several architectures, or of kernels beside each other.
    func versions(of package: String) -> [String] {
        switch kind {
        case .dpkg: DpkgVersions(root: root, only: package)?.version(of: package).map { [$0] } ?? []
        case .apk: apkVersion(of: package).map { [$0] } ?? []
        case .rpm: rpmVersions(of: package)
        }
    }

    /// Blocks of lines `P:name`, `V:version`, with an empty line between them.
    private func apkVersion(of package: String) -> String? {
        guard let content = root.read(path, maxBytes: DpkgFiles.maxFileSize) else { return nil }
        var (isWanted, version): (Bool, String?) = (false, nil)
        let name = Array("P:\(package)".utf8)
        DpkgFiles.forEachLine(content) { line in
            if line.starts(with: "P:".utf8) { isWanted = line.elementsEqual(name) }
            if isWanted, version == nil, line.starts(with: "V:".utf8) { version = String(decoding: line.dropFirst(2), as: UTF8.self) }
        }
        return version
    }

    private func rpmVersions(of package: String) -> [String] {
        if path.hasSuffix(".sqlite") {
            // What is not yet in the file itself is in the log beside it. rpm leaves it empty.
            let isLogged = (root.identity(path + "-wal")?.size ?? 0) > 0
            if !isLogged, let file = root.file(path, followLinks: true), let found = RpmDatabase(file).versions(of: package),
                root.identity(path) == identity
            {
                return found
            }
        }
        // The older forms, and a database that is being written, are rpm's own to read; it knows only this process's root.
        guard root.isOwn else { return [] }
        return RpmQuery.versions(of: package) ?? []
    }
}
