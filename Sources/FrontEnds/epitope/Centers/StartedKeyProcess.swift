// SPDX-License-Identifier: Apache-2.0

import CenterMonitoring
import EpitopeModel
import Glibc
import HostFrontEnd
import ProgramRuns
import Scheduling
import SecureChannel

/// Who signs certificates for a center.
struct KeySource: Sendable {
    /// Where it is asked.
    let socket: String
    /// The process that was started for that; `nil`: somebody else's.
    var started: StartedKeyProcess?
}

/// The process that a center starts for its authority's key, which ends with it.
struct StartedKeyProcess: Sendable {
    private let words: [String]
    private let first: pid_t

    /// Between its end and the next start.
    private static let pause = Backoff(initial: .milliseconds(500), maximum: .seconds(30))

    /// Starts it. Call this while there is one thread.
    ///
    /// - Throws: `authority-missing`, `state-unwritable` where the key can't be read, `center-failed`.
    init<Kind: CenterKind>(
        _ state: CenterStateOptions<Kind>, logging format: MonitoringSettings.LogFormat
    ) throws(EpitopeError) {
        try CertificateAuthority.requireKey(in: state.keyDirectory)
        let program = try CenterProcess.program()
        words = [
            program, Kind.name, "key", "--key-folder", state.keyDirectory, "--socket", state.keySocketPath, "--parent", "\(getpid())",
            "--log-format", format.rawValue,
        ]
        first = try Self.spawn(words)
    }

    /// Starts it again whenever it has ended. (It starts by itself again what has the key: this is for a system that ends both.)
    func restartWhenEnded() {
        do throws(DedicatedThread.StartFailure) {
            // A process that is to end with its parent ends with the thread that started it: this one is for ever.
            try DedicatedThread.start { keep() }
        } catch {
            Console.log("the process that signs certificates is not started again should it end: \(error)")
        }
    }

    /// Nothing of this process is its but standard error: what it says goes to the log.
    private static func spawn(_ arguments: [String]) throws(EpitopeError) -> pid_t {
        do throws(ProgramRun.Unstartable) {
            return try ProgramRun.start(arguments, output: nil)
        } catch {
            throw EpitopeError(
                .centerFailed, "the process that signs certificates could not be started: \(error.reason)",
                remedy: "raise the limit on processes (ulimit -u, TasksMax of a unit), or free memory")
        }
    }

    /// Waits for its end, and starts it again, for ever.
    private func keep() {
        var process: pid_t? = first
        var failures = 0
        while true {
            let begun = ContinuousClock.now
            if let process { while waitpid(process, nil, 0) < 0, errno == EINTR {} }
            // One that ran for long has not failed again and again.
            failures = ContinuousClock.now - begun > Self.pause.maximum ? 1 : failures + 1
            usleep(UInt32(Self.pause.delay(afterFailures: failures, fraction: 1) / .microseconds(1)))
            do throws(EpitopeError) {
                process = try Self.spawn(words)
                Console.log("the process that signs certificates had ended, and is started again")
            } catch {
                process = nil
                Console.log("\(error)")
            }
        }
    }
}
