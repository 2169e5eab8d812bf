// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation

/// The unified hierarchy of control groups: units and containers as the ids that the kernel program is asked by.
struct ControlGroups {
    /// Where it is mounted.
    let root: String

    /// `nil` where it isn't mounted.
    init?(mounts: String? = ProcFS.text("/proc/self/mounts")) {
        let lines = mounts?.split(separator: "\n").map { $0.split(separator: " ") } ?? []
        guard let root = lines.first(where: { $0.count > 2 && $0[2] == "cgroup2" })?[1] else { return nil }
        self.root = String(root)
    }

    /// The deepest and the most groups that are looked through.
    static let deepest = 12
    static let most = 20_000

    /// The ids of the groups that a unit or container has now. Only those that root made, in groups that root made: who is
    /// given a subtree of his own names groups in it as he likes.
    func groups(where isWanted: (Substring) -> Bool) -> [UInt64] {
        var found: [UInt64] = []
        var seen = 0
        func walk(_ folder: String, _ depth: Int) {
            guard depth < Self.deepest, let stream = opendir(folder) else { return }
            var below: [String] = []
            while seen < Self.most, let entry = readdir(stream) {
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
                if isWanted(Substring(name)) { found.append(UInt64(status.st_ino)) } else { walk(path, depth + 1) }
            }
        }
        walk(root, 0)
        return found
    }

    /// The ids of the group that a process is in and of all above it.
    ///
    /// - Parameter text: the content of `/proc/PID/cgroup`.
    func groups(ofProcess text: String) -> [UInt64] {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else { return [] }
        var path = root
        var found: [UInt64] = []
        for name in line.dropFirst(4).split(separator: "/") {
            // Outside of the subtree that this process sees.
            guard name != ".." else { return [] }
            path += "/\(name)"
            var status = stat()
            guard lstat(path, &status) == 0 else { return found }
            found.append(UInt64(status.st_ino))
        }
        return found
    }
}
