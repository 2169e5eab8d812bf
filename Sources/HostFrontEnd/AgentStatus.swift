package import BehaviourBlocking
package import Foundation
package import KernelBackend

/// What `epitope status` tells of the agent: the agent writes it every second.
package struct AgentStatus: Codable {
    package var processID: Int32
    package var level: ProtectionLevel
    package var action: String
    /// Milliseconds since 1970.
    package var time: Double
    /// Counted since the agent began (``KernelBackend/Statistics``).
    package var counted: [String: UInt64]

    package init(_ backend: KernelBackend, action: Policy.Action) {
        processID = getpid()
        level = backend.level
        self.action = action.rawValue
        time = Date().timeIntervalSince1970 * 1000
        let statistics = backend.statistics
        counted = [
            "inspected": statistics.inspected, "reported": statistics.reported, "repeated": statistics.repeated,
            "dropped": statistics.dropped, "acted-upon": statistics.actedUpon, "uninspectable": statistics.uninspectable,
            "unattributable": statistics.unattributable, "excused": statistics.excused, "marked": statistics.marked,
        ]
    }

    /// What this kernel offers, in lines for a person.
    package static func describe(_ support: KernelSupport) -> [String] {
        var lines = [
            "level      \(support.level.rawValue): "
                + (support.level.canDeny ? "calls are denied" : "calls are reported, and their process is killed or watched"),
            "because    \(support.reason)",
        ]
        if let remedy = support.remedy { lines.append("for more   \(remedy)") }
        return lines
    }
}

/// Where the status lies: in the host's state folder, readable by its owner.
package struct StatusFile {
    private let path: String

    package init(directory: String) {
        path = directory + "/agent.json"
    }

    /// A status that can't be written is left out: it is for people.
    package func write(_ status: AgentStatus) {
        guard let data = try? JSONEncoder().encode(status) else { return }
        // A new file each time, put in place as a whole: whoever made a link there before gains nothing.
        let fresh = path + ".new"
        unlink(fresh)
        let descriptor = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        let written = data.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        if written == data.count { rename(fresh, path) }
    }

    package func remove() {
        unlink(path)
    }

    /// The agent's last word; `nil` where none runs.
    package func read() -> AgentStatus? {
        guard let data = FileManager.default.contents(atPath: path),
            let status = try? JSONDecoder().decode(AgentStatus.self, from: data), kill(status.processID, 0) == 0 || errno == EPERM
        else { return nil }
        return status
    }
}
