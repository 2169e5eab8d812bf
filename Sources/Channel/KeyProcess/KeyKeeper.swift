// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc
import Scheduling

/// Starts a key process, and again when it has ended, for a center that a person started. It doesn't read the key. (Under systemd,
/// that is systemd's work.)
public enum KeyKeeper {
    private static let restarts = Backoff(initial: .milliseconds(100), maximum: .seconds(10))
    /// One that lived for so long is no failure of the start.
    private static let steady = Duration.seconds(60)
    /// The number of the listening socket in the key process.
    public static let listenerDescriptor: Int32 = 3

    /// Keeps a key process running until this process is ended, and ends with its parent.
    ///
    /// - Parameters:
    ///   - path: where the socket is made.
    ///   - program: this program's path.
    ///   - arguments: of the key process, its name first.
    ///   - log: takes a line when it has ended, or can't be asked.
    /// - Throws: `key-socket-unusable`, but for a disk that is full: that need not be so later.
    public static func run(
        socket path: String, program: String, arguments: [String], log: (String) -> Void
    ) throws(EpitopeError) -> Never {
        var listener: Int32?
        var failures = 0
        while true {
            let begun = ContinuousClock.now
            do throws(KeySocket.SystemFailure) {
                let opened = if let listener { listener } else { try KeySocket.listen(at: path) }
                listener = opened
                log("the key process has ended (\(runOnce(opened, program, arguments))); it is started again")
            } catch {
                let failure = KeyErrors.socket(path, error.description)
                guard error.number == ENOSPC || error.number == EDQUOT else { throw failure }
                log("\(failure)")
            }
            failures = .now - begun > steady ? 1 : failures + 1
            let delay = restarts.delay(afterFailures: failures, fraction: .random(in: 0...1))
            usleep(UInt32(delay.inMilliseconds) * 1000)
        }
    }

    private static func runOnce(_ listener: Int32, _ program: String, _ arguments: [String]) -> String {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, listener, listenerDescriptor)
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var process: pid_t = 0
        let spawned = posix_spawn(&process, program, &actions, nil, &words, environ)
        guard spawned == 0 else { return "it could not be started: \(String(cString: strerror(spawned)))" }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? "exit status \((status >> 8) & 0xff)" : "signal \(signal)"
    }
}
