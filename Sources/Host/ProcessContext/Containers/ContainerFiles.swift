// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
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
        read(in: "/var/lib/docker/containers", [id, "config.v2.json"], maxBytes: Self.largestRecord).flatMap(ContainerRecords.docker)
    }

    private func storage(_ id: String) -> ContainerParameters? {
        read(in: "/var/lib/containers/storage", ["overlay-containers", "containers.json"], maxBytes: Self.largestList)
            .flatMap { ContainerRecords.storage($0, id: id) }
    }

    private func storageBundle(_ id: String) -> ContainerParameters? {
        for base in ["/run/containers/storage", "/var/lib/containers/storage"] {
            let names = ["overlay-containers", id, "userdata", "config.json"]
            if let bytes = read(in: base, names, maxBytes: Self.largestRecord) {
                return ContainerRecords.bundle(bytes)
            }
        }
        return nil
    }

    private func containerd(_ id: String) -> ContainerParameters? {
        let tasks = "/run/containerd/io.containerd.runtime.v2.task"
        for namespace in ((try? Folders.names(root + tasks, maxCount: Self.mostNamespaces)) ?? []).sorted() {
            if let bytes = read(in: tasks, [namespace, id, "config.json"], maxBytes: Self.largestRecord) {
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
