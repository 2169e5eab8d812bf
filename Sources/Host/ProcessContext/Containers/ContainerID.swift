// SPDX-License-Identifier: Apache-2.0

/// A container's id in a process's cgroup paths.
package enum ContainerID {
    /// Finds the id that docker (`/docker/ID`, `docker-ID.scope`), containerd (`cri-containerd-ID.scope`,
    /// `.../ID`), CRI-O (`crio-ID.scope`) or podman (`libpod-ID.scope`) put there: 64 hexadecimal digits that are a
    /// path component, alone or behind a runtime's prefix. The innermost component counts.
    ///
    /// - Parameter cgroup: the content of `/proc/PID/cgroup`.
    static func find(in cgroup: String) -> String? {
        for line in cgroup.split(separator: "\n") {
            // hierarchy:controllers:path
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            for component in parts[2].split(separator: "/").reversed() {
                if let id = id(component) { return id }
            }
        }
        return nil
    }

    /// The id in one component of a cgroup path.
    package static func id(_ component: Substring) -> String? {
        var name = component
        for suffix in [".scope", ".service"] where name.hasSuffix(suffix) { name = name.dropLast(suffix.count) }
        // conmon is the monitor beside a container, not a container.
        guard !name.contains("-conmon-") else { return nil }
        // containerd without systemd: `kubepods-burstable-pod….slice:cri-containerd:ID`.
        let last = name.split(whereSeparator: { $0 == "-" || $0 == ":" }).last ?? name
        return isID(last) ? String(last) : nil
    }

    /// Whether a name has the form of an engine's ids: 64 lower-case hexadecimal digits.
    static func isID(_ name: some StringProtocol) -> Bool {
        name.utf8.count == 64 && name.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
}
