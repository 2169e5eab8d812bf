// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProcessInspection

/// A process that the kernel program sends SIGSTOP, seen by its threads' states.
///
/// The program reports a call before it sends the signal, and a thread stops on its way back to user space: what the agent does to the
/// process has to wait for that. A continuation that came before the stop would be lost, too.
struct StoppedProcess {
    let processID: Int32
    /// The thread that made the call.
    let threadID: Int32

    /// Whether the calling thread has stopped, and every other one has, or waits in the kernel for something that no signal ends.
    var isHeld: Bool {
        guard ProcessStatistics(of: threadID)?.state.map(Self.stopped.contains) == true else { return false }
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/task")) ?? []
        return threads.allSatisfy { name in
            guard let thread = Int32(name), thread != threadID, let state = ProcessStatistics(of: thread)?.state else { return true }
            return Self.stopped.contains(state) || Self.waiting.contains(state)
        }
    }

    /// By a signal, or by a tracer.
    private static let stopped: Set<Character> = ["T", "t"]
    /// Uninterruptible, or ended.
    private static let waiting: Set<Character> = ["D", "Z", "X", "I"]
}

/// Waits for processes to stop, on the thread that reads events. A stop comes within microseconds of its event, unless the machine is
/// busy, or somebody continues the process: who does that again and again must not hold up the reports of others.
struct StopWaits {
    /// How long one stop is waited for.
    static let maxWait = Duration.milliseconds(100)
    /// How long is waited in vain, within a second.
    static let maxVain = Duration.milliseconds(300)
    private static let pauseMicroseconds: useconds_t = 100

    private var vain = Duration.zero
    private var since = ContinuousClock.now

    /// Waits until something is so. Whether it is: where too much time was lost, it is looked at once.
    mutating func wait(until isSo: () -> Bool) -> Bool {
        let start = ContinuousClock.now
        if start - since >= .seconds(1) { (vain, since) = (.zero, start) }
        let limit = vain < Self.maxVain ? Self.maxWait : .zero
        while !isSo() {
            guard ContinuousClock.now - start < limit else {
                vain += ContinuousClock.now - start
                return false
            }
            usleep(Self.pauseMicroseconds)
        }
        return true
    }
}
