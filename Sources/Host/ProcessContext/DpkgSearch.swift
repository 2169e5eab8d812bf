// SPDX-License-Identifier: Apache-2.0

/// Which Debian package owns a file, by a search of dpkg's lists: those first whose package has a name like the file's, since
/// most programs are in such a package.
enum DpkgSearch {
    /// `nil` where no package lists the file, or dpkg doesn't manage the system.
    static func owner(of path: String, in root: RootFolder) -> (package: String, version: String?)? {
        let wanted = DpkgFiles.aliases(path).map { Array($0.utf8) }
        for name in likelyFirst(DpkgFiles.lists(in: root), path) {
            guard let list = DpkgFiles.list(name, in: root), DpkgFiles.lists(list, anyOf: wanted) else { continue }
            let package = DpkgVersions.package(ofList: name)
            return DpkgVersions(root: root, only: package)?.package(ofList: name)
        }
        return nil
    }

    /// The lists, those first whose name begins with the most letters of the file's name.
    static func likelyFirst(_ names: [String], _ path: String) -> [String] {
        let file = path.split(separator: "/").last.map { Array($0.utf8) } ?? []
        func alike(_ name: String) -> Int { zip(name.utf8, file).prefix { $0 == $1 }.count }
        return names.map { (alike: alike($0), name: $0) }.sorted { ($1.alike, $0.name) < ($0.alike, $1.name) }.map(\.name)
    }
}
