// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// The targets that a running process matches: its program's file, its control groups, its user.
public enum ProcessExclusionTargets {
    /// The targets that can be read; none of a process that has ended.
    ///
    /// - Parameter libraries: the libraries that matter (``ExclusionTable/libraries``).
    public static func targets(ofProcess processID: Int32, libraries: Set<ExclusionTarget.FileState> = []) -> [ExclusionTarget] {
        dated(ofProcess: processID, libraries: libraries).targets
    }

    /// The targets, and when the file or group among them that changed last did so.
    static func dated(
        ofProcess processID: Int32, libraries: Set<ExclusionTarget.FileState>
    ) -> (targets: [ExclusionTarget], changed: FileIdentity.Time?) {
        var targets: [ExclusionTarget] = []
        var changes: [FileIdentity.Time] = []
        let folder = "/proc/\(processID)"
        // The link opens the file itself, even if it was renamed or lies in another root.
        if let file = try? FileDescriptor(folder + "/exe", O_RDONLY | O_NONBLOCK), let state = ExclusionTarget.FileState(file) {
            targets.append(.file(state))
            targets += mapped(libraries, by: processID).map { .library($0, program: state) }
            changes.append(.init(seconds: state.changedSeconds, nanoseconds: state.changedNanoseconds))
        }
        if let text = ProcFS.text(folder + "/cgroup") {
            let groups = ControlGroups()?.groups(ofProcess: text) ?? []
            targets += groups.map { .group($0.id) }
            changes += groups.map(\.changed)
        }
        if let status = ProcFS.text(folder + "/status"), let user = user(status) {
            targets.append(.user(user))
        }
        return (targets, changes.max())
    }

    /// The longest list of mappings that is read, in bytes.
    private static let maxMapsBytes = 16 << 20

    /// Which of some libraries a process has mapped as code.
    private static func mapped(_ libraries: Set<ExclusionTarget.FileState>, by processID: Int32) -> Set<ExclusionTarget.FileState> {
        guard !libraries.isEmpty, let maps = ProcFS.text("/proc/\(processID)/maps", maxBytes: maxMapsBytes) else { return [] }
        var found: Set<ExclusionTarget.FileState> = []
        for mapping in MapEntry.entries(inMaps: maps) where mapping.protection.contains(.execute) && !mapping.protection.contains(.shared) {
            guard libraries.contains(where: { $0.inode == mapping.inode && !found.contains($0) }),
                let file = ImagePages.open(mapping, processID), let state = ExclusionTarget.FileState(file), libraries.contains(state)
            else { continue }
            found.insert(state)
        }
        return found
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
