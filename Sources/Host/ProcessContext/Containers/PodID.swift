// SPDX-License-Identifier: Apache-2.0

/// A Kubernetes pod's identity in a process's cgroup paths.
enum PodID {
    /// Finds the identity that the kubelet put there, with either driver:
    ///
    /// - cgroupfs: `/kubepods/burstable/podUID/…`
    /// - systemd: `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/…`, the hyphens of the UID
    ///   written as underscores; or as the start of one component where only the runtime has no systemd:
    ///   `kubepods-burstable-podUID.slice:cri-containerd:ID`
    ///
    /// A UID is a UUID, or the 32 hexadecimal digits that the kubelet gives to a pod from a manifest file. It is returned with
    /// hyphens. Only folders of the kubelet's count: other programs may name theirs `pod`, too.
    ///
    /// - Parameter cgroup: the content of `/proc/PID/cgroup`.
    static func find(in cgroup: String) -> String? {
        for line in cgroup.split(separator: "\n") {
            // hierarchy:controllers:path
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, parts[2].contains("kubepods") else { continue }
            for component in parts[2].split(separator: "/").reversed() {
                if let uid = uid(component) { return uid }
            }
        }
        return nil
    }

    private static func uid(_ component: Substring) -> String? {
        var name = component.prefix { $0 != ":" }
        if name.hasSuffix(".slice") { name = name.dropLast(6) }
        // The cgroupfs driver's UID contains hyphens of its own: the last "pod" that begins a word counts.
        var rest = name
        while let place = rest.firstRange(of: "pod") {
            let begins = place.lowerBound == name.startIndex || name[name.index(before: place.lowerBound)] == "-"
            rest = rest[place.upperBound...]
            if begins, let uid = checked(rest) { return uid }
        }
        return nil
    }

    private static func checked(_ text: Substring) -> String? {
        let uid = String(text.map { $0 == "_" ? "-" : $0 })
        let groups = uid.split(separator: "-", omittingEmptySubsequences: false).map(\.utf8.count)
        guard groups == [8, 4, 4, 4, 12] || groups == [32] else { return nil }
        let isHexadecimal = uid.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) || $0 == 45 }
        return isHexadecimal ? uid : nil
    }
}
