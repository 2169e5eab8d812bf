// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// A process and its system, to which stable facts are added one by one.
struct Enrichment: Sendable {
    var process: ProcessParameters
    var system: SystemParameters
    var cache: FactCache

    /// Adds what the container's engine recorded of it.
    mutating func addContainer(from files: ContainerFiles) {
        guard let id = process.containerID else { return }
        if let known = process.container, known.image != nil, known.name != nil { return }
        let recorded = cache.container(id, files: files)
        let both = (process.container ?? ContainerParameters()).completed(by: recorded ?? ContainerParameters())
        process.container = both.isEmpty ? nil : both
    }

    /// Adds what the process's files say: the program's hash, the distribution, the C library, its packages' last update.
    ///
    /// - Returns: the lookup of the program's package, which takes longer; `nil` where there is none.
    mutating func addFacts(of files: ProcessFileHandles, packages owners: PackageOwners) -> PackageOwners.Lookup? {
        var lookup: PackageOwners.Lookup?
        if let file = files.executable, let path = process.executable?.path {
            if let root = files.root, !files.isDeleted { lookup = owners.lookUp(files.pathInRoot(path), in: root) }
            process.executable?.sha256 = cache.hash(file)
        }
        if let root = files.root {
            let distribution = Distribution(root: root)
            (system.distribution, system.distributionVersion) = (distribution.id, distribution.version)
        }
        let packages = files.root.flatMap { PackageDatabase(root: $0) }
        system.lastUpdateMilliseconds = packages?.changedMilliseconds
        if let libc = files.libc {
            let facts = cache.libc(libc.file, libc.library)
            system.libcVersion = facts.version
            system.libcPackageVersion = facts.packageVersion ?? packages.flatMap { cache.revision(of: libc.library, in: $0) }
        }
        return lookup
    }

    /// Adds the patch level of the machine, which is the same for all its processes.
    mutating func addMachine(_ places: MachineFacts.Places, build: String?) {
        let facts = cache.machine(places, release: system.kernelRelease, build: build)
        system.kernelBuild = facts.kernelBuild
        system.kernelPackageVersion = facts.kernelPackageVersion
        system.microcodeRevision = facts.microcodeRevision
        system.bootParameters = facts.bootParameters
    }
}
