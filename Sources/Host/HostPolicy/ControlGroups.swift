// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation

/// The unified hierarchy of control groups, in which the kernel program knows units and containers by ids.
struct ControlGroups {
    /// Its mount point.
    let root: String

    /// `nil` if it isn't mounted.
    init?(mounts: String? = ProcFS.text("/proc/self/mounts")) {
        let lines = mounts?.split(separator: "\n").map { $0.split(separator: " ") } ?? []
        guard let root = lines.first(where: { $0.count > 2 && $0[2] == "cgroup2" })?[1] else { return nil }
        self.root = String(root)
    }

    /// How deep, and how many, groups are searched.
    static let maxDepth = 12
    static let maxGroups = 20_000

    /// The ids of the groups whose names match. Only groups that root created, within groups that root created: a user who
    /// was given a subtree chooses the names in it.
    func groups(where matches: (Substring) -> Bool) -> [UInt64] {
        var found: [UInt64] = []
        var seen = 0
        func walk(_ folder: String, _ depth: Int) {
            guard depth < Self.maxDepth, let stream = opendir(folder) else { return }
            var below: [String] = []
            while seen < Self.maxGroups, let entry = readdir(stream) {
                guard entry.pointee.d_type == UInt8(DT_DIR) else { continue }
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != "." && name != ".." { below.append(name) }
            }
            closedir(stream)
            for name in below {
                seen += 1
                var status = stat()
                let path = "\(folder)/\(name)"
                guard lstat(path, &status) == 0, status.st_uid == 0, status.st_mode & 0o022 == 0 else { continue }
                // The inode's number is the group's id.
                if matches(Substring(name)) { found.append(UInt64(status.st_ino)) } else { walk(path, depth + 1) }
            }
        }
        walk(root, 0)
        return found
    }

    /// A group, and when it changed last; after it was made, at the earliest.
    struct Group {
        var id: UInt64
        var changed: FileIdentity.Time
    }

    /// A process's group and all groups above it.
    ///
    /// - Parameter text: the content of `/proc/PID/cgroup`.
    func groups(ofProcess text: String) -> [Group] {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else { return [] }
        var path = root
        var found: [Group] = []
        for name in line.dropFirst(4).split(separator: "/") {
            // The group is outside of the subtree that this process can see.
            guard name != ".." else { return [] }
            path += "/\(name)"
            guard let status = try? FileStatus(path: path, followLinks: false) else { return found }
            found.append(Group(id: status.identity.inode, changed: status.identity.changed))
        }
        return found
    }
}
