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
    /// How long the machine's own facts are good: microcode can be loaded while it runs.
    private static let machineLifetime = Duration.seconds(60)

    private var libcVersions: [FileIdentity: LibcFacts] = [:]
    /// Of C libraries whose file doesn't say it: by the package database's file in its state.
    private var packageRevisions: [FileIdentity: [LibcVersion.Library: String?]] = [:]
    private var machine: (facts: MachineFacts, packages: FileIdentity?, at: ContinuousClock.Instant)?
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

    /// What a C library's file says of itself.
    struct LibcFacts: Hashable, Sendable {
        var version: String?
        var packageVersion: String?
    }

    mutating func libc(_ file: FileDescriptor, _ library: LibcVersion.Library) -> LibcFacts {
        guard let identity = FileIdentity(file.number) else { return LibcFacts() }
        if let known = libcVersions[identity] { return known }
        var facts = LibcFacts()
        if let content = try? file.read(maxBytes: Self.maxLibcSize) {
            facts.version = LibcVersion.version(library, file: content)
            facts.packageVersion = LibcRevision.revision(file: content)
        }
        if libcVersions.count >= Self.maxEntries { libcVersions.removeAll() }
        libcVersions[identity] = facts
        return facts
    }

    /// The revision of a C library's package, by the package database.
    mutating func revision(of library: LibcVersion.Library, in packages: PackageDatabase) -> String? {
        if let known = packageRevisions[packages.identity]?[library] { return known }
        let revision = LibcRevision.packages(library, in: packages.kind).lazy.compactMap { packages.version(of: $0) }.first
        if packageRevisions.count >= Self.maxEntries { packageRevisions.removeAll() }
        packageRevisions[packages.identity, default: [:]][library] = .some(revision)
        return revision
    }

    /// The machine's own facts: read again once they are a minute old, or its packages changed.
    mutating func machine(_ places: MachineFacts.Places, release: String?, build: String?) -> MachineFacts {
        let packages = RootFolder(places.root).flatMap { PackageDatabase(root: $0) }?.identity
        let now = ContinuousClock.now
        if let machine, machine.packages == packages, now - machine.at < Self.machineLifetime { return machine.facts }
        let facts = MachineFacts(places: places, release: release, build: build)
        machine = (facts, packages, now)
        return facts
    }

    mutating func container(_ id: String, files: ContainerFiles) -> ContainerParameters? {
        if let known = containers[id] { return known }
        let found = files.container(id)
        if containers.count >= Self.maxEntries { containers.removeAll() }
        containers[id] = found
        return found
    }
}
