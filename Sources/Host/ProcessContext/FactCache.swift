// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation

/// Facts about files, cached while the file is unchanged.
struct FactCache: Sendable {
    /// How many facts of each kind are cached, and of how many dpkg databases.
    private static let maxEntries = 256
    private static let maxIndices = 4
    /// How much of a C library is searched for its version, in bytes.
    private static let maxLibcSize = 8 << 20

    private var hashes: [FileIdentity: String] = [:]
    private var libcVersions: [FileIdentity: String?] = [:]
    /// By the identity of dpkg's status file: each root has its own, and a changed file has another identity.
    private var indices: [FileIdentity: DpkgIndex] = [:]
    /// The records of container engines. Containers without a record are looked up again.
    private var containers: [String: ContainerParameters] = [:]
    private var rpmOwners: [String: (package: String, version: String?)?] = [:]

    /// SHA-256 as hexadecimal digits.
    mutating func hash(_ file: FileDescriptor) -> String? {
        guard let identity = FileIdentity(file.number) else { return nil }
        if let known = hashes[identity] { return known }
        guard let text = FileHash.sha256(file.number) else { return nil }
        if hashes.count >= Self.maxEntries { hashes.removeAll() }
        hashes[identity] = text
        return text
    }

    mutating func libcVersion(_ file: FileDescriptor, _ library: LibcVersion.Library) -> String? {
        guard let identity = FileIdentity(file.number) else { return nil }
        if let known = libcVersions[identity] { return known }
        let version = (try? file.read(maxBytes: Self.maxLibcSize)).flatMap { LibcVersion.version(library, file: $0) }
        if libcVersions.count >= Self.maxEntries { libcVersions.removeAll() }
        libcVersions[identity] = .some(version)
        return version
    }

    mutating func container(_ id: String, files: ContainerFiles) -> ContainerParameters? {
        if let known = containers[id] { return known }
        let found = files.container(id)
        if containers.count >= Self.maxEntries { containers.removeAll() }
        containers[id] = found
        return found
    }

    mutating func owner(of path: String, root: RootFolder) -> (package: String, version: String?)? {
        if let status = root.identity("/var/lib/dpkg/status") {
            if indices[status] == nil {
                if indices.count >= Self.maxIndices { indices.removeAll() }
                indices[status] = DpkgIndex(root: root)
            }
            if let owner = indices[status]?.owner(of: path, in: root) { return owner }
        }
        // rpm is only queried for this process's own root: it knows no other.
        guard let ours = FileIdentity(path: "/"), let theirs = root.identity("/"), ours.inode == theirs.inode,
            ours.device == theirs.device
        else { return nil }
        if let known = rpmOwners[path] { return known }
        let owner = RpmQuery.owner(of: path)
        if rpmOwners.count >= Self.maxEntries { rpmOwners.removeAll() }
        rpmOwners[path] = .some(owner)
        return owner
    }
}
