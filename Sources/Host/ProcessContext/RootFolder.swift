// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import Foundation

/// The folder that is a process's `/`. Its content is the process's, so it isn't trusted: paths are resolved as the process
/// would resolve them, and a link in a container's root never leads to a file of the host. Only regular files are opened: opening a device can have
/// effects (a container may create the node of a device that it may not use itself), and a pipe would block its reader.
struct RootFolder: Sendable {
    private let folder: OpenFile

    /// - Parameter path: such as `/proc/PID/root`.
    init?(_ path: String) {
        guard let folder = OpenFile(path, flags: SystemFiles.pathOnly | O_DIRECTORY) else { return nil }
        self.folder = folder
    }

    /// A regular file, open for reading; `nil` for everything else.
    func file(_ path: String, followLinks: Bool = false) -> OpenFile? {
        guard let found = found(path, followLinks), SystemFiles.isRegular(found.descriptor) else { return nil }
        // By the handle: whatever has become of the name meanwhile.
        return OpenFile(found.path, flags: O_RDONLY)
    }

    /// The first `most` bytes of a regular file.
    func read(_ path: String, most: Int) -> [UInt8]? {
        file(path).flatMap { SystemFiles.read($0.descriptor, most: most) }
    }

    func text(_ path: String, most: Int) -> String? {
        read(path, most: most).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The names in a folder, at most so many.
    func names(_ path: String, most: Int) -> [String] {
        guard let found = found(path, true) else { return [] }
        return SystemFiles.names(found.path, most: most)
    }

    /// What tells one state of a file from another.
    func identity(_ path: String) -> FileIdentity? {
        found(path, true).flatMap { FileIdentity($0.descriptor) }
    }

    private func found(_ path: String, _ followLinks: Bool) -> OpenFile? {
        OpenFile(descriptor: epitope_find_within(folder.descriptor, path, followLinks ? 1 : 0))
    }
}
