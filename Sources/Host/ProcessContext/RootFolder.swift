// SPDX-License-Identifier: Apache-2.0

import FileAccess

/// The folder that is a process's `/`. Its content is the process's, so it isn't trusted: paths are resolved as the process
/// would resolve them, and a link in a container's root never leads to a file of the host. Only regular files are opened: opening a device can have
/// effects (a container may create the node of a device that it may not use itself), and a pipe would block its reader.
struct RootFolder: Sendable {
    private let folder: PathHandle

    /// - Parameter path: such as `/proc/PID/root`.
    init?(_ path: String) {
        guard let folder = try? PathHandle(path, mustBeFolder: true) else { return nil }
        self.folder = folder
    }

    /// A regular file, open for reading; `nil` for everything else.
    func file(_ path: String, followLinks: Bool = false) -> FileDescriptor? {
        // By the handle: whatever has become of the name meanwhile.
        try? found(path, followLinks)?.openFile()
    }

    /// The first bytes of a regular file, at most so many.
    func read(_ path: String, maxBytes: Int) -> [UInt8]? {
        try? file(path)?.read(maxBytes: maxBytes)
    }

    func text(_ path: String, maxBytes: Int) -> String? {
        read(path, maxBytes: maxBytes).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The names in a folder, at most so many.
    func names(_ path: String, maxCount: Int) -> [String] {
        guard let found = found(path, true) else { return [] }
        return (try? Folders.names(found.path, maxCount: maxCount)) ?? []
    }

    /// Identifies a file in its present state.
    func identity(_ path: String) -> FileIdentity? {
        found(path, true).flatMap { FileIdentity($0.descriptor) }
    }

    /// Whether it is this process's own root.
    var isOwn: Bool {
        guard let ours = FileIdentity(path: "/"), let theirs = identity("/") else { return false }
        return ours.inode == theirs.inode && ours.device == theirs.device
    }

    private func found(_ path: String, _ followLinks: Bool) -> PathHandle? {
        try? PathHandle(path, withRoot: folder, followLinks: followLinks)
    }
}
