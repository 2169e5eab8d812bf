// SPDX-License-Identifier: Apache-2.0

/// Lists the files that a goodware index would be built from.
public enum FileTree {
    /// All non-empty regular files below the folders, each once even if it has several names, sorted by path. Symbolic links
    /// are not followed, and the kernel's file systems (proc, sysfs and the like) are passed over, wherever they are mounted.
    ///
    /// - Parameter unreadable: called for each folder that can't be read, and for each of the given folders that is the
    ///   kernel's, with the reason.
    public static func files(below folders: [String], unreadable: (_ path: String, _ reason: String) -> Void) -> [String] {
        CorpusFile.below(folders, unreadable: unreadable).map(\.path)
    }
}
