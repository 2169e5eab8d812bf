// SPDX-License-Identifier: Apache-2.0

public import Glibc

/// Runs other programs, each for a bounded time, with their output in a file.
public enum ProgramRun {
    /// How a run ended.
    public enum Outcome: Hashable, Sendable {
        /// Its exit status; 128 and the signal's number for a program that a signal ended.
        case exited(status: Int32)
        /// It took too long, and was killed.
        case timedOut
    }

    /// A program could not be started, for the system's reason.
    public struct Unstartable: Error {
        public var reason: String
    }

    /// The nice value of a program that nobody waits for: a tenth of what others get (sched(7)).
    private static let backgroundNice: Int32 = 10

    /// Runs a program to its end. The calling thread waits.
    ///
    /// - Parameters:
    ///   - arguments: the program's path first.
    ///   - output: a file that takes what the program prints and complains about.
    ///   - isInBackground: whether it gives way to everything else on the machine.
    public static func run(
        _ arguments: [String], output: String, within seconds: Double, isInBackground: Bool = false
    ) throws(Unstartable) -> Outcome {
        let process = try start(arguments, output: output)
        // Threads that it starts have that of the one that starts them.
        if isInBackground { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), id_t(process), backgroundNice) }
        let deadline = ContinuousClock.now + .seconds(seconds)
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 {
            guard ContinuousClock.now < deadline else {
                kill(process, SIGKILL)
                waitpid(process, &status, 0)
                return .timedOut
            }
            usleep(1000)
        }
        let signal = status & 0x7f
        return .exited(status: signal == 0 ? (status >> 8) & 0xff : 128 + signal)
    }

    /// Starts a program; the caller waits for its end (`waitpid`).
    ///
    /// - Parameter output: a file that takes what it prints and complains about; `nil`: both go to this program's standard error.
    public static func start(_ arguments: [String], output: String?) throws(Unstartable) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        if let output {
            posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
            posix_spawn_file_actions_adddup2(&actions, 1, 2)
        } else {
            posix_spawn_file_actions_adddup2(&actions, 2, 1)
        }
        // Not every library opens its descriptors close-on-exec: a program that had a server's listening socket would keep its port
        // from the next server after a crash, and its connections open.
        for descriptor in openDescriptors() where descriptor > 2 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        // A thread of a dispatch queue has most signals blocked; the program must not inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var process: pid_t = 0
        let spawned = posix_spawn(&process, arguments[0], &actions, &attributes, &words, environ)
        guard spawned == 0 else { throw Unstartable(reason: String(cString: strerror(spawned))) }
        return process
    }

    /// What is open in this process now. One that is closed meanwhile is no error when it is closed for the program, too.
    private static func openDescriptors() -> [Int32] {
        guard let folder = opendir("/proc/self/fd") else { return [] }
        defer { closedir(folder) }
        var descriptors: [Int32] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let number = Int32(name) { descriptors.append(number) }
        }
        return descriptors
    }
}
