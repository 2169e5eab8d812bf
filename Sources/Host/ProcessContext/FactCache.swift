// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation

/// Facts about files, cached while the file is unchanged.
struct FactCache: Sendable {
    /// How many facts of each kind are cached.
    private static let maxEntries = 256
    /// How much of a C library is searched for its version, in bytes.
    private static let maxLibcSize = 8 << 20

    private var hashes: [FileIdentity: String] = [:]
    private var libcVersions: [FileIdentity: String?] = [:]
    /// The records of container engines. Containers without a record are looked up again.
    private var containers: [String: ContainerParameters] = [:]

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
}
