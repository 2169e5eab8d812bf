// SPDX-License-Identifier: Apache-2.0

package import BehaviourBlocking
import EpitopeModel
import FileAccess
package import Foundation
package import KernelBackend

/// The agent's status, which it writes every second for `epitope status`.
package struct AgentStatus: Codable, Hashable, Sendable {
    package var processID: Int32
    /// How the kernel judges calls; `nil`: containers alone are protected, by their runtimes' filters.
    package var level: ProtectionLevel?
    package var action: String
    /// What differs from one application of behaviour blocking to another (``BehaviourBlocking/Policy/applicationsInWords``).
    package var applications: String?
    /// Milliseconds since 1970: when the agent started, and when this status was written.
    package var since: Double
    package var time: Double
    /// Where the program is pinned; `nil`: protection ends with the agent.
    package var pinnedAt: String?
    /// What doesn't work, although protection is in force; `nil` in the status of an earlier version.
    package var problems: [HostProblem]?
    /// Of Epitope; `nil` in the status of an earlier version.
    package var version: String?
    /// Counted since the program was first loaded (``KernelBackend/Statistics``); by the agent itself, since it started: `cut`, `cut-failed`
    /// (``KernelBackend/Cuts``).
    package var counted: [String: UInt64]

    package init(
        processID: Int32 = getpid(), level: ProtectionLevel, policy: Policy, since: Date, pinnedAt: String?,
        statistics: KernelBackend.Statistics, cuts: KernelBackend.Cuts = .init(), problems: [HostProblem] = []
    ) {
        self.processID = processID
        self.level = level
        action = policy.action.rawValue
        applications = policy.applicationsInWords
        self.since = since.timeIntervalSince1970 * 1000
        time = Date().timeIntervalSince1970 * 1000
        self.pinnedAt = pinnedAt
        version = Version.current
        counted = statistics.named.merging(["cut": cuts.done, "cut-failed": cuts.failed]) { $1 }
        self.problems = problems
    }

    /// Of an agent that protects containers alone.
    package init(ofContainersBy policy: Policy, since: Date, counted: [String: UInt64], problems: [HostProblem]) {
        processID = getpid()
        level = nil
        action = policy.action.rawValue
        applications = policy.applicationsInWords
        self.since = since.timeIntervalSince1970 * 1000
        time = Date().timeIntervalSince1970 * 1000
        version = Version.current
        self.counted = counted
        self.problems = problems
    }

    /// By what calls are judged, in words: `by bpf-lsm`.
    package var means: String { level.map { "by \($0.rawValue)" } ?? "for containers alone" }

    /// One line, for the service manager.
    package var summary: String {
        func count(_ name: String) -> UInt64 { counted[name] ?? 0 }
        return "\(means), action \(action): \(count("inspected")) calls inspected, \(count("acted-upon")) acted upon, "
            + "\(count("reported")) reported, \(count("dropped")) reports dropped"
            + (count("cut-failed") > 0 ? ", \(count("cut-failed")) cuts failed" : "")
            + (problems.map { $0.isEmpty ? "" : ", problems: \($0.count) (epitope status)" } ?? "")
    }

    /// Describes what this kernel supports, for `--check`.
    package static func describe(_ support: KernelSupport) -> [String] {
        var lines = [
            "level      \(support.level.rawValue): "
                + (support.level.canDeny ? "calls are denied" : "calls are reported, and their process is killed or watched"),
            "because    \(support.reason)",
        ]
        if let remedy = support.remedy { lines.append("to improve \(remedy)") }
        lines.append("pages      \(support.writtenPages)")
        if let remedy = support.writtenPages.remedy { lines.append("to improve \(remedy)") }
        return lines
    }
}

extension KernelBackend.Statistics {
    /// By the names in `epitope status`.
    package var named: [String: UInt64] {
        [
            "inspected": inspected, "reported": reported, "repeated": repeated, "dropped": dropped, "acted-upon": actedUpon,
            "uninspectable": uninspectable, "unattributable": unattributable, "excluded": excluded, "marked": marked,
            "marks-without-room": marksWithoutRoom, "origins-without-room": originsWithoutRoom,
            "held": held, "unanswered": unanswered,
        ]
    }
}

/// The file of the status: in the host's state folder, readable by its owner.
package struct StatusFile: Sendable {
    private let path: String
    /// How much of it is read, in bytes.
    private static let maxSize = 65536

    package init(directory: String) {
        path = directory + "/agent.json"
    }

    /// Writes a status. It is only for people: where it can't be written, the last one stays.
    package func write(_ status: AgentStatus) {
        guard let data = try? JSONEncoder().encode(status) else { return }
        // A new file is renamed into place each time, so a link that somebody created there is never followed. Not synced to the
        // disk every second: after a crash of the machine the status no longer holds.
        do throws(FileError) {
            try AtomicFile.write(data, to: path, mode: 0o600, durably: false)
        } catch {
            overwrite(data)
        }
    }

    /// On a full disk: the file that is there has room for another content, up to the end of its last block.
    private func overwrite(_ data: Data) {
        guard let file = try? FileDescriptor(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK), let status = try? file.status() else { return }
        let room = max(1, (Int(status.identity.size) + Self.blockSize - 1) / Self.blockSize) * Self.blockSize
        guard data.count <= room else { return }
        // Blanks after the end are no part of JSON, and need no shortening between two writes.
        let bytes = Array(data) + [UInt8](repeating: UInt8(ascii: " "), count: room - data.count)
        _ = bytes.withUnsafeBytes { pwrite(file.number, $0.baseAddress, $0.count, 0) }
    }

    /// Of most file systems, in bytes.
    private static let blockSize = 4096

    package func remove() {
        unlink(path)
    }

    /// The last status written by an agent that left protection in force; it may have been killed.
    package func read() -> AgentStatus? {
        guard let bytes = try? FileContents.bytes(path, maxBytes: Self.maxSize, followLinks: false) else { return nil }
        return try? JSONDecoder().decode(AgentStatus.self, from: Data(bytes))
    }
}
