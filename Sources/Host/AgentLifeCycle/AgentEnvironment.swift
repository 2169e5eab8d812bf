// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What the agent takes from its environment: hardly anything. It runs as root for as long as the machine does, and whoever
/// started it may not have meant a variable for it (`LD_PRELOAD`, `SWIFT_BACKTRACE`, `XDG_STATE_HOME`).
public enum AgentEnvironment {
    /// What systemd tells its services (systemd.exec(5)), and how wide a terminal is.
    static let kept: Set<String> = [
        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID",
        "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY",
        "COLUMNS", "TERM",
    ]
    static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// What is left of an environment, as `NAME=VALUE`.
    static func cleaned(_ variables: [String]) -> [String] {
        [path]
            + variables.filter { variable in
                guard let end = variable.firstIndex(of: "=") else { return false }
                return kept.contains(String(variable[..<end]))
            }
    }

    /// Starts this program anew without what it doesn't take, where there is any: loader and runtime have looked at theirs
    /// by now. The process stays the same one. To be called first.
    public static func clean() {
        var variables: [String] = []
        var next = environ
        while let variable = next.pointee {
            variables.append(String(cString: variable))
            next += 1
        }
        let wanted = cleaned(variables)
        guard Set(wanted) != Set(variables) else { return }
        var room = [CChar](repeating: 0, count: 4096)
        guard readlink("/proc/self/exe", &room, room.count - 1) > 0 else { return }
        var words = wanted.map { strdup($0) } + [nil]
        execve(room, CommandLine.unsafeArgv, &words)
        // It could not: what matters to what it calls is taken away at least.
        clearenv()
        for variable in wanted { putenv(strdup(variable)) }
    }
}
