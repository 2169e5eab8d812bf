// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// The signal that ends the agent and leaves protection in force, for the next agent to adopt: systemd sends it for
/// `systemctl restart` (RestartKillSignal=). SIGTERM and SIGINT end protection.
enum HandoverSignal {
    static let number = SIGUSR1
}

/// The first signal to end that arrived before the agent could handle it. Without this, such a signal would end the process at once
/// and leave protection in force, that of this agent or of an earlier one.
enum PendingSignals {
    private static let number = Atomic<Int32>(0)

    /// Catches signals from now on.
    static func install() {
        // Nothing to reload: the policy is about to be read.
        signal(SIGHUP, SIG_IGN)
        for number in [SIGTERM, SIGINT, HandoverSignal.number] {
            signal(number) { number in PendingSignals.number.store(number, ordering: .relaxed) }
        }
    }

    /// The signal that arrived, if one did.
    static var first: Int32? {
        let number = number.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }
}
