// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc
import SecureChannel

/// An agent that the keeper has started: a child of this process.
struct AgentProcess: Sendable {
    let identifier: pid_t

    /// Variables that the service manager means for the keeper alone.
    private static let ownVariables: Set<String> = [
        "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
    ]

    init(identifier: pid_t) { self.identifier = identifier }

    /// Starts the program that a descriptor is of, whatever lies at its path by now.
    ///
    /// - Throws: `agent-not-well`.
    init(executing program: FileDescriptor, _ arguments: [String]) throws(EpitopeError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Neither the mask of this thread nor what the keeper ignores is the agent's.
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = Self.environment().map { strdup($0) } + [nil]
        defer { (words + variables).forEach { free($0) } }
        var process: pid_t = 0
        let failure = posix_spawn(&process, program.path, &actions, &attributes, &words, &variables)
        guard failure == 0 else {
            throw EpitopeError(
                .agentNotWell, "the agent could not be started: \(String(cString: strerror(failure)))",
                remedy: "see that its folder is on a file system where programs may be executed, and that the machine has memory")
        }
        identifier = process
    }

    private static func environment() -> [String] {
        var variables: [String] = []
        var next = environ
        while let variable = next.pointee {
            variables.append(String(cString: variable))
            next += 1
        }
        return variables.filter { !ownVariables.contains(String($0.prefix { $0 != "=" })) }
    }

    /// How it ended, in words; `nil`: it runs.
    func ending() -> String? {
        var status: Int32 = 0
        let result = waitpid(identifier, &status, WNOHANG)
        if result == 0 { return nil }
        guard result > 0 else { return "it is gone" }
        let signal = status & 0x7f
        return signal == 0 ? "exit status \((status >> 8) & 0xff)" : "signal \(signal)"
    }

    func signal(_ number: Int32) { kill(identifier, number) }

    /// Waits for its end, for so long at most.
    func end(within limit: Duration) async -> Bool {
        let deadline = ContinuousClock.now + limit
        while ending() == nil {
            guard .now < deadline else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }
}
