// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The environment of the agent, reduced to what it needs. It runs as root for as long as the machine does, and variables of the user who
/// started it may not be meant for it (`LD_PRELOAD`, `SWIFT_BACKTRACE`, `XDG_STATE_HOME`).
public enum AgentEnvironment {
    /// What systemd passes to services (systemd.exec(5)), and the terminal's type and width.
    static let keptNames: Set<String> = [
        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID",
        "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "CREDENTIALS_DIRECTORY",
        "COLUMNS", "TERM",
    ]
    static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The variables of an environment that are kept, as `NAME=VALUE`.
    static func cleaned(_ variables: [String]) -> [String] {
        [path]
            + variables.filter { variable in
                guard let end = variable.firstIndex(of: "=") else { return false }
                return keptNames.contains(String(variable[..<end]))
            }
    }

    /// Re-executes this program without the other variables, if there are any: the loader and the runtime have already used theirs.
    /// The process ID stays the same. Call this first.
    public static func clean() {
        var variables: [String] = []
        var next = environ
        while let variable = next.pointee {
            variables.append(String(cString: variable))
            next += 1
        }
        let kept = cleaned(variables)
        guard Set(kept) != Set(variables) else { return }
        var buffer = [CChar](repeating: 0, count: 4096)
        guard readlink("/proc/self/exe", &buffer, buffer.count - 1) > 0 else { return }
        var words = kept.map { strdup($0) } + [nil]
        execve(buffer, CommandLine.unsafeArgv, &words)
        // It could not be executed: clear at least what libraries read later.
        clearenv()
        for variable in kept { putenv(strdup(variable)) }
    }
}
