// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation

/// Finds what engines wrote down of a container on this machine. No engine is asked: it may be busy, or be what is
/// attacked.
struct ContainerFiles: Sendable {
    /// The largest record that is read: a bundle's holds the container's whole environment and all its mounts.
    static let largestRecord = 1 << 20
    /// `containers.json` has one entry for each container of the machine.
    static let largestList = 8 << 20
    /// containerd's namespaces (`k8s.io`, `moby`, `default`) that are looked through.
    static let mostNamespaces = 64

    /// Put before every path, in tests.
    var root = ""

    /// All that is known of a container; `nil` where that is nothing.
    ///
    /// - Parameter id: 64 hexadecimal digits, as ``ContainerID`` finds them: it becomes part of paths.
    func container(_ id: String) -> ContainerParameters? {
        var found = ContainerParameters()
        for record in [docker, storage, storageBundle, containerd] {
            if found.image != nil, found.pod?.name != nil { break }
            if let said = record(id) { found = found.completed(by: said) }
        }
        return found.isEmpty ? nil : found
    }

    private func docker(_ id: String) -> ContainerParameters? {
        SystemFiles.read(in: root + "/var/lib/docker/containers", [id, "config.v2.json"], most: Self.largestRecord)
            .flatMap(ContainerRecords.docker)
    }

    private func storage(_ id: String) -> ContainerParameters? {
        SystemFiles.read(
            in: root + "/var/lib/containers/storage", ["overlay-containers", "containers.json"], most: Self.largestList
        ).flatMap { ContainerRecords.storage($0, id: id) }
    }

    private func storageBundle(_ id: String) -> ContainerParameters? {
        for base in ["/run/containers/storage", "/var/lib/containers/storage"] {
            let names = ["overlay-containers", id, "userdata", "config.json"]
            if let bytes = SystemFiles.read(in: root + base, names, most: Self.largestRecord) {
                return ContainerRecords.bundle(bytes)
            }
        }
        return nil
    }

    private func containerd(_ id: String) -> ContainerParameters? {
        let tasks = root + "/run/containerd/io.containerd.runtime.v2.task"
        for namespace in SystemFiles.names(tasks, most: Self.mostNamespaces).sorted() {
            if let bytes = SystemFiles.read(in: tasks, [namespace, id, "config.json"], most: Self.largestRecord) {
                return ContainerRecords.bundle(bytes)
            }
        }
        return nil
    }
}
