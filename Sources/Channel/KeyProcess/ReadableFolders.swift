// SPDX-License-Identifier: Apache-2.0

/// What a process is to be able to read so that it can read anything but one folder. A kernel can only be told what is permitted
/// (Landlock), and what is permitted of a folder is of all that is ever in it. So these are the entries of each folder on the way to
/// the hidden one, but for the way itself. What comes into one of those folders later can't be read.
struct ReadableFolders: Hashable {
    /// Why a folder can't be hidden.
    enum Obstacle: Error, Hashable {
        /// New files of this folder must be readable, and the hidden one lies in it.
        case liesIn(String)
        /// The entries of a folder on the way can't be listed, or are too many.
        case unlisted(String)
    }

    /// Entries of one folder on the way; one with more is a place where new ones come all the time.
    static let maxEntries = 4096

    let paths: [String]

    /// - Parameters:
    ///   - hidden: absolute, without symbolic links.
    ///   - needed: folders whose new files must be readable, in the same form.
    ///   - entries: the names in a folder, at most one more than ``maxEntries``; `nil`: it can't be listed.
    init(hiding hidden: String, needed: [String], entries: (String) -> [String]?) throws(Obstacle) {
        let parts = hidden.split(separator: "/").map(String.init)
        var folder = "/"
        var paths: [String] = []
        for part in parts {
            if needed.contains(folder) { throw .liesIn(folder) }
            guard let names = entries(folder), names.count <= Self.maxEntries else { throw .unlisted(folder) }
            let prefix = folder == "/" ? "/" : folder + "/"
            paths += names.filter { $0 != part }.sorted().map { prefix + $0 }
            folder = prefix + part
        }
        self.paths = paths
    }
}
