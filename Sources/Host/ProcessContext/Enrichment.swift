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

    /// Adds what the process's files say: the program's hash, the distribution, the C library.
    ///
    /// - Returns: the lookup of the program's package, which takes longer; `nil` where there is none.
    mutating func addFacts(of files: ProcessFileHandles, packages: PackageOwners) -> PackageOwners.Lookup? {
        var lookup: PackageOwners.Lookup?
        if let file = files.executable, let path = process.executable?.path {
            if let root = files.root, !files.isDeleted { lookup = packages.lookUp(files.pathInRoot(path), in: root) }
            process.executable?.sha256 = cache.hash(file)
        }
        if let root = files.root {
            let distribution = Distribution(root: root)
            (system.distribution, system.distributionVersion) = (distribution.id, distribution.version)
        }
        system.libcVersion = files.libc.flatMap { cache.libcVersion($0.file, $0.library) }
        return lookup
    }
}
