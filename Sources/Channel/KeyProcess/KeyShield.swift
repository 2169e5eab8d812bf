// SPDX-License-Identifier: Apache-2.0

import CPrivileges
import FileAccess
import Glibc

/// Keeps the authority's key from the process that serves, where that runs as the same user as the key process: it can't open the
/// key's file any more, nor can what it starts (Suricata), nor trace another process. Under units with users of their own, the key's
/// file is another user's anyway.
public enum KeyShield {
    /// Call this while there is one thread, and once the key process is started.
    ///
    /// - Parameters:
    ///   - folder: the key's.
    ///   - needed: folders in which files appear that this process reads, and files themselves; they need not be there.
    /// - Throws: ``Failure``: then this process can read what its user can.
    public static func raise(hiding folder: String, needed: [String]) throws(Failure) {
        try confine(hiding: folder, needed: needed + Self.system)
    }

    /// Why the key's file can't be kept from this process.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String

        init(text: String) { description = text }
    }

    /// Folders in which the system replaces files that programs read: names, users, temporary files.
    private static var system: [String] {
        ["/etc", "/run", "/tmp", "/var/tmp"] + [getenv("TMPDIR").map { String(cString: $0) }].compactMap(\.self)
    }

    private static func confine(hiding folder: String, needed: [String]) throws(Failure) {
        guard let hidden = resolved(folder) else { throw Failure(text: "its folder \(folder) can't be looked at") }
        let readable: ReadableFolders
        do throws(ReadableFolders.Obstacle) {
            readable = try ReadableFolders(hiding: hidden, needed: needed.compactMap(existing)) { folder in
                try? Folders.names(folder, maxCount: ReadableFolders.maxEntries + 1)
            }
        } catch {
            switch error {
            case .liesIn(let folder): throw Failure(text: "\(hidden) lies in \(folder), where files appear that the center reads")
            case .unlisted(let folder): throw Failure(text: "\(folder) can't be listed, or has too many entries")
            }
        }
        guard SingleThread.isOnlyOne() else { throw Failure(text: "it has other threads already") }
        try check(epitope_no_new_privileges())
        var words: [UnsafePointer<CChar>?] = readable.paths.map { path in strdup(path).map { UnsafePointer($0) } }
        defer { words.forEach { free(UnsafeMutablePointer(mutating: $0)) } }
        try check(epitope_read_only_beneath(&words, words.count))
        // Rights go by folders, whatever leads to them: where one of them is also a bind mount's source, the key's folder lies in it, too.
        guard ((try? Folders.names(hidden, maxCount: ReadableFolders.maxEntries)) ?? []).contains(where: { isReadable("\(hidden)/\($0)") })
        else { return }
        throw Failure(text: "\(hidden) also lies in a folder that the center reads, by a bind mount")
    }

    private static func isReadable(_ path: String) -> Bool {
        let file = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        if file >= 0 { close(file) }
        return file >= 0
    }

    private static func check(_ result: Int32) throws(Failure) {
        guard result < 0 else { return }
        throw Failure(text: result == -ENOSYS || result == -EOPNOTSUPP ? "this kernel has no Landlock" : String(cString: strerror(-result)))
    }

    /// A path without symbolic links; `nil` where nothing is.
    private static func resolved(_ path: String) -> String? {
        guard let text = realpath(path, nil) else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// The folder in which a new entry makes a path readable: itself, if it is one, else the nearest above that is there.
    private static func existing(_ path: String) -> String? {
        var path = path.hasPrefix("/") ? path : "./" + path
        while true {
            if let found = resolved(path), (try? FileStatus(path: found))?.kind == .folder { return found }
            let above = Folders.parent(of: path)
            guard above != path else { return nil }
            path = above
        }
    }
}
