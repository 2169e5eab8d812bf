// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Which Debian package owns a file, and in which version, from dpkg's own lists.
///
/// The index holds a hash of each path; a hit is looked up in the package's list, so a collision never gives a wrong
/// answer. It is built once for each state of dpkg's status file. Where few files are looked up, ``DpkgSearch`` is faster.
struct DpkgIndex: Sendable {
    private var lists: [String] = []
    private var owners: [UInt64: Int32] = [:]
    private let versions: DpkgVersions

    /// `nil` where dpkg doesn't manage the system.
    ///
    /// - Parameter root: the folder that is the process's `/`.
    init?(root: RootFolder) {
        guard let versions = DpkgVersions(root: root) else { return nil }
        self.versions = versions
        for name in DpkgFiles.lists(in: root) {
            guard let list = DpkgFiles.list(name, in: root) else { continue }
            lists.append(name)
            let owner = Int32(lists.count - 1)
            DpkgFiles.forEachLine(list) { owners[Self.hash($0)] = owner }
        }
    }

    /// The package that owns a file, and its installed version.
    ///
    /// - Parameter root: one whose dpkg is in the state that the index was built from.
    func owner(of path: String, in root: RootFolder) -> (package: String, version: String?)? {
        for candidate in DpkgFiles.aliases(path) {
            let wanted = Array(candidate.utf8)
            guard let owner = wanted.withUnsafeBytes({ owners[Self.hash($0)] }),
                let list = DpkgFiles.list(lists[Int(owner)], in: root), DpkgFiles.lists(list, anyOf: [wanted])
            else { continue }
            return versions.package(ofList: lists[Int(owner)])
        }
        return nil
    }

    /// FNV-1a with 64 bits (Fowler, Noll, Vo).
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}
