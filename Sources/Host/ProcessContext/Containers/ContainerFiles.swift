// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation

/// Finds what engines recorded of a container on this machine. Engines themselves are not queried: they may be busy, or be
/// under attack.
struct ContainerFiles: Sendable {
    /// How much of a record is read, in bytes: a bundle's holds the container's whole environment and all its mounts.
    static let maxRecordSize = 1 << 20
    /// How much of `containers.json` is read, in bytes: it has one entry for each container of the machine.
    static let maxListSize = 8 << 20
    /// How many of containerd's namespaces (`k8s.io`, `moby`, `default`) are searched.
    static let maxNamespaces = 64

    /// A prefix of every path, in tests.
    var root = ""

    /// All that is recorded of a container; `nil` if nothing is.
    ///
    /// - Parameter id: 64 hexadecimal digits, as ``ContainerID`` finds them. It becomes part of paths.
    func container(_ id: String) -> ContainerParameters? {
        var found = ContainerParameters()
        for record in [docker, storage, storageBundle, containerd] {
            if found.image != nil, found.pod?.name != nil { break }
            if let recorded = record(id) { found = found.completed(by: recorded) }
        }
        return found.isEmpty ? nil : found
    }

    private func docker(_ id: String) -> ContainerParameters? {
        SystemFiles.read(in: root + "/var/lib/docker/containers", [id, "config.v2.json"], most: Self.maxRecordSize)
            .flatMap(ContainerRecords.docker)
    }

    private func storage(_ id: String) -> ContainerParameters? {
        SystemFiles.read(
            in: root + "/var/lib/containers/storage", ["overlay-containers", "containers.json"], most: Self.maxListSize
        ).flatMap { ContainerRecords.storage($0, id: id) }
    }

    private func storageBundle(_ id: String) -> ContainerParameters? {
        for base in ["/run/containers/storage", "/var/lib/containers/storage"] {
            let names = ["overlay-containers", id, "userdata", "config.json"]
            if let bytes = SystemFiles.read(in: root + base, names, most: Self.maxRecordSize) {
                return ContainerRecords.bundle(bytes)
            }
        }
        return nil
    }

    private func containerd(_ id: String) -> ContainerParameters? {
        let tasks = root + "/run/containerd/io.containerd.runtime.v2.task"
        for namespace in SystemFiles.names(tasks, most: Self.maxNamespaces).sorted() {
            if let bytes = SystemFiles.read(in: tasks, [namespace, id, "config.json"], most: Self.maxRecordSize) {
                return ContainerRecords.bundle(bytes)
            }
        }
        return nil
    }
}
