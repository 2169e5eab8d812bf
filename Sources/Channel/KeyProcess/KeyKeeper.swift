// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
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

    /// Keeps a key process running until this process is ended, or until another has: a center, whose signal at its end
    /// (PR_SET_PDEATHSIG) would not reach this process where Landlock keeps the center from sending any.
    ///
    /// - Parameters:
    ///   - path: where the socket is made.
    ///   - center: a handle of the other process (pidfd_open(2)); `nil`: there is none.
    ///   - program: this program's path.
    ///   - arguments: of the key process, its name first.
    ///   - log: takes a line when it has ended, or can't be asked.
    /// - Throws: `key-socket-unusable`, but for a disk that is full: that need not be so later.
    public static func run(
        socket path: String, center: Int32?, program: String, arguments: [String], log: (String) -> Void
    ) throws(EpitopeError) -> Never {
        var listener: Int32?
        var failures = 0
        while true {
            let begun = ContinuousClock.now
            do throws(KeySocket.SystemFailure) {
                let opened = if let listener { listener } else { try KeySocket.listen(at: path) }
                listener = opened
                log("the key process has ended (\(runOnce(opened, center, program, arguments))); it is started again")
            } catch {
                let failure = KeyErrors.socket(path, error.description)
                guard error.number == ENOSPC || error.number == EDQUOT else { throw failure }
                log("\(failure)")
            }
            failures = .now - begun > steady ? 1 : failures + 1
            let delay = restarts.delay(afterFailures: failures, fraction: .random(in: 0...1))
            if waitForEnd(of: center.map { [$0] } ?? [], milliseconds: Int32(delay.inMilliseconds)) { exit(0) }
        }
    }

    /// Whether one of some processes has ended, or ends within a time; -1: there is no such time.
    private static func waitForEnd(of handles: [Int32], milliseconds: Int32) -> Bool {
        var polled = handles.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        return poll(&polled, nfds_t(polled.count), milliseconds) > 0
    }

    /// - Returns: how the key process ended. This process ends, and the key process with it, when the center does.
    private static func runOnce(_ listener: Int32, _ center: Int32?, _ program: String, _ arguments: [String]) -> String {
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
        if let center {
            let handle = epitope_process_handle(process)
            defer { if handle >= 0 { close(handle) } }
            while handle >= 0, waitpid(process, &status, WNOHANG) == 0 {
                _ = waitForEnd(of: [center, handle], milliseconds: -1)
                if waitForEnd(of: [center], milliseconds: 0) { exit(0) }
            }
            if handle >= 0 { return ending(status) }
        }
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        return ending(status)
    }

    private static func ending(_ status: Int32) -> String {
        let signal = status & 0x7f
        return signal == 0 ? "exit status \((status >> 8) & 0xff)" : "signal \(signal)"
    }
}
