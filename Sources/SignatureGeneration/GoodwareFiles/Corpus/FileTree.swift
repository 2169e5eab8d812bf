// SPDX-License-Identifier: Apache-2.0

public import FileAccess
import GoodwareReading

/// Lists the files that a goodware index would be built from.
public enum FileTree {
    /// All non-empty regular files below the folders, each once even if it has several names, sorted by path. Symbolic links
    /// are not followed, and the kernel's file systems (proc, sysfs and the like) are passed over, wherever they are mounted.
    /// Names may have any bytes, and paths any length up to 16,384 bytes.
    ///
    /// - Parameter unreadable: called for each folder and file that can't be looked at, and for each of the given folders that is
    ///   the kernel's, with the reason.
    public static func files(below folders: [String], unreadable: (_ path: RawPath, _ reason: String) -> Void) -> [RawPath] {
        CorpusTree(below: folders, unreadable: unreadable).files.map(\.path)
    }
}
