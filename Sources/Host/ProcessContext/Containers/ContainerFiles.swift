// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
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
        read(in: "/var/lib/docker/containers", [id, "config.v2.json"], maxBytes: Self.maxRecordSize).flatMap(ContainerRecords.docker)
    }

    private func storage(_ id: String) -> ContainerParameters? {
        read(in: "/var/lib/containers/storage", ["overlay-containers", "containers.json"], maxBytes: Self.maxListSize)
            .flatMap { ContainerRecords.storage($0, id: id) }
    }

    private func storageBundle(_ id: String) -> ContainerParameters? {
        for base in ["/run/containers/storage", "/var/lib/containers/storage"] {
            let names = ["overlay-containers", id, "userdata", "config.json"]
            if let bytes = read(in: base, names, maxBytes: Self.maxRecordSize) {
                return ContainerRecords.bundle(bytes)
            }
        }
        return nil
    }

    private func containerd(_ id: String) -> ContainerParameters? {
        let tasks = "/run/containerd/io.containerd.runtime.v2.task"
        for namespace in ((try? Folders.names(root + tasks, maxCount: Self.maxNamespaces)) ?? []).sorted() {
            if let bytes = read(in: tasks, [namespace, id, "config.json"], maxBytes: Self.maxRecordSize) {
                return ContainerRecords.bundle(bytes)
            }
        }
        return nil
    }

    /// A file of an engine's folder; `nil` where there is none, or it is longer. No link below the folder is followed.
    private func read(in folder: String, _ names: [String], maxBytes: Int) -> [UInt8]? {
        try? FileContents.whole(in: root + folder, names, maxBytes: maxBytes)
    }
}
