// SPDX-License-Identifier: Apache-2.0

/// The files that goodware is read of, for others to search.
public enum FileTree {
    /// All regular files below folders that hold anything, each once however many names it has, in order of their
    /// paths. No symbolic link is followed, and the kernel's own folders (`/proc`, `/sys`, `/dev`) are left out.
    ///
    /// - Parameter unreadable: gets each folder that can't be read, with the reason.
    public static func files(below folders: [String], unreadable: (_ path: String, _ reason: String) -> Void) -> [String] {
        CorpusFile.below(folders, unreadable: unreadable).map(\.path)
    }
}
