// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import FileAccess
import Glibc

/// The targets that a running process matches: its program's file, its control groups, its user.
public enum ProcessExclusionTargets {
    /// The targets that can be read; none of a process that has ended.
    public static func targets(ofProcess processID: Int32) -> [ExclusionTarget] {
        var targets: [ExclusionTarget] = []
        let folder = "/proc/\(processID)"
        // The link opens the file itself, even if it was renamed or lies in another root.
        if let file = try? FileDescriptor(folder + "/exe", O_RDONLY | O_NONBLOCK), let state = ExclusionTarget.FileState(file) {
            targets.append(.file(state))
        }
        if let text = ProcFS.text(folder + "/cgroup") {
            targets += (ControlGroups()?.groups(ofProcess: text) ?? []).map { .group($0) }
        }
        if let status = ProcFS.text(folder + "/status"), let user = user(status) {
            targets.append(.user(user))
        }
        return targets
    }

    /// The user; `nil` if the real and the effective one differ: a set-user-ID program belongs to neither alone.
    static func user(_ status: String) -> UInt32? {
        for line in status.split(separator: "\n") where line.hasPrefix("Uid:") {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard fields.count > 2, fields[1] == fields[2] else { return nil }
            return UInt32(fields[1])
        }
        return nil
    }
}
