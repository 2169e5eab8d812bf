// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// The signal that ends the agent and leaves protection in force, for the next agent to adopt: systemd sends it for
/// `systemctl restart` (RestartKillSignal=). SIGTERM and SIGINT end protection.
public enum HandoverSignal {
    /// SIGUSR1.
    public static let number = SIGUSR1
}

/// The first signal to end that arrived before the agent, or its keeper, could handle it. Without this, such a signal would end the process at once
/// and leave protection in force, that of this agent or of an earlier one.
public enum PendingSignals {
    private static let number = Atomic<Int32>(0)

    /// Catches signals from now on.
    public static func install() {
        // Nothing to reload: the policy is about to be read.
        signal(SIGHUP, SIG_IGN)
        for number in [SIGTERM, SIGINT, HandoverSignal.number] {
            signal(number) { number in PendingSignals.number.store(number, ordering: .relaxed) }
        }
    }

    /// Keeps signals for the program that this process executes next, which has them once it calls ``release()``.
    public static func hold() {
        var signals = held
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Lets those come that were held, after ``install()``.
    public static func release() {
        var signals = held
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    private static var held: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGTERM, SIGINT, SIGHUP, HandoverSignal.number] { sigaddset(&signals, number) }
        return signals
    }

    /// The signal that arrived, if one did.
    public static var first: Int32? {
        let number = number.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }
}
