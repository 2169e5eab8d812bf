// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation

/// Facts about files, kept as long as the file is unchanged.
struct FactCache: Sendable {
    private static let most = 256

    private var hashes: [FileIdentity: String] = [:]
    private var libcVersions: [FileIdentity: String?] = [:]
    /// By dpkg's status file: each root has its own, and a changed one is another.
    private var indices: [FileIdentity: DpkgIndex] = [:]
    /// What engines wrote down; what was not found is looked for again.
    private var containers: [String: ContainerParameters] = [:]
    private var rpmOwners: [String: (package: String, version: String?)?] = [:]

    /// SHA-256 as hexadecimal digits.
    mutating func hash(_ file: FileDescriptor) -> String? {
        guard let identity = FileIdentity(file.number) else { return nil }
        if let known = hashes[identity] { return known }
        guard let text = FileHash.sha256(file.number) else { return nil }
        if hashes.count >= Self.most { hashes.removeAll() }
        hashes[identity] = text
        return text
    }

    mutating func libcVersion(_ file: FileDescriptor, _ library: LibcVersion.Library) -> String? {
        guard let identity = FileIdentity(file.number) else { return nil }
        if let known = libcVersions[identity] { return known }
        let version = (try? file.read(maxBytes: 8 << 20)).flatMap { LibcVersion.version(library, file: $0) }
        if libcVersions.count >= Self.most { libcVersions.removeAll() }
        libcVersions[identity] = .some(version)
        return version
    }

    mutating func container(_ id: String, files: ContainerFiles) -> ContainerParameters? {
        if let known = containers[id] { return known }
        let found = files.container(id)
        if containers.count >= Self.most { containers.removeAll() }
        containers[id] = found
        return found
    }

    mutating func owner(of path: String, root: RootFolder) -> (package: String, version: String?)? {
        if let status = root.identity("/var/lib/dpkg/status") {
            if indices[status] == nil {
                if indices.count >= 4 { indices.removeAll() }
                indices[status] = DpkgIndex(root: root)
            }
            if let owner = indices[status]?.owner(of: path, in: root) { return owner }
        }
        // rpm is asked only about our own root: its answers are about that.
        guard let ours = FileIdentity(path: "/"), let theirs = root.identity("/"), ours.inode == theirs.inode,
            ours.device == theirs.device
        else { return nil }
        if let known = rpmOwners[path] { return known }
        let owner = RpmQuery.owner(of: path)
        if rpmOwners.count >= Self.most { rpmOwners.removeAll() }
        rpmOwners[path] = .some(owner)
        return owner
    }
}
