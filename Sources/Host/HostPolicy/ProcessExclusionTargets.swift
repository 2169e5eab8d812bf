// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import FileAccess
import Glibc

/// Which excusable parties a running process is: its program's file, its control groups, its user.
public enum ProcessExclusionTargets {
    /// What can be had; of a process that is gone, nothing.
    public static func parties(of processID: Int32) -> [ExclusionTarget] {
        var parties: [ExclusionTarget] = []
        let folder = "/proc/\(processID)"
        // Through the link the file itself is opened, whatever has become of its name, and whoever's root it lies in.
        if let file = try? FileDescriptor(folder + "/exe", O_RDONLY | O_NONBLOCK), let state = ExclusionTarget.FileState(file) {
            parties.append(.file(state))
        }
        if let text = ProcFS.text(folder + "/cgroup") {
            parties += (ControlGroups()?.groups(ofProcess: text) ?? []).map { .group($0) }
        }
        if let status = ProcFS.text(folder + "/status"), let user = user(status) {
            parties.append(.user(user))
        }
        return parties
    }

    /// The user, where the real and the effective one are the same: a set-user-ID program is nobody's alone.
    static func user(_ status: String) -> UInt32? {
        for line in status.split(separator: "\n") where line.hasPrefix("Uid:") {
            let fields = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            guard fields.count > 2, fields[1] == fields[2] else { return nil }
            return UInt32(fields[1])
        }
        return nil
    }
}
