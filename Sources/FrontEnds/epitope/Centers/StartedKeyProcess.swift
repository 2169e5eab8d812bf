// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
import HostFrontEnd
import ProgramRuns
import Scheduling

extension CenterProcess {
    /// Starts the process that has the authority's key, which ends with this one, and starts it again whenever it has ended before.
    /// Call this while there is one thread.
    ///
    /// - Returns: the socket on which it is asked.
    static func startKey<Kind: CenterKind>(_ state: CenterStateOptions<Kind>) throws -> String {
        let program = try program()
        let words = [
            program, Kind.name, "key", "--key-folder", state.keyDirectory, "--socket", state.keySocketPath, "--parent", "\(getpid())",
        ]
        let first = try StartedKeyProcess.spawn(words)
        do throws(DedicatedThread.StartFailure) {
            // A process that is to end with its parent ends with the thread that started it: this one is for ever.
            try DedicatedThread.start { StartedKeyProcess.keep(first, words) }
        } catch {
            Console.log("the process that signs certificates is not started again should it end: \(error)")
        }
        return state.keySocketPath
    }
}

/// The process that a center starts for its authority's key.
private enum StartedKeyProcess {
    /// Between its end and the next start.
    private static let pause = Backoff(initial: .milliseconds(500), maximum: .seconds(30))

    /// Nothing of this process is its but standard error: what it says goes to the log.
    static func spawn(_ arguments: [String]) throws(EpitopeError) -> pid_t {
        do throws(ProgramRun.Unstartable) {
            return try ProgramRun.start(arguments, output: nil)
        } catch {
            throw EpitopeError(
                .centerFailed, "the process that signs certificates could not be started: \(error.reason)",
                remedy: "raise the limit on processes (ulimit -u, TasksMax of a unit), or free memory")
        }
    }

    /// Waits for its end, and starts it again, for ever.
    static func keep(_ first: pid_t, _ arguments: [String]) {
        var process: pid_t? = first
        var failures = 0
        while true {
            let begun = ContinuousClock.now
            if let process { while waitpid(process, nil, 0) < 0, errno == EINTR {} }
            // One that ran for long has not failed again and again.
            failures = ContinuousClock.now - begun > pause.maximum ? 1 : failures + 1
            usleep(UInt32(pause.delay(afterFailures: failures, fraction: 1) / .microseconds(1)))
            do throws(EpitopeError) {
                process = try spawn(arguments)
                Console.log("the process that signs certificates had ended, and is started again")
            } catch {
                process = nil
                Console.log("\(error)")
            }
        }
    }
}
