// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Scheduling

/// When the worker of one target works: its quotas, its priority, and who wakes whom.
struct TargetSchedule: Sendable {
    let limits: LiveValue<QuotaLimits>
    /// The target with priority; `nil`: this one has it.
    var yieldingTo: DeliveryOrder?
    /// Wakes this worker.
    var signal: WakeUpSignal
    /// Wakes the other target's worker, which may wait for this one's attempt.
    var otherSignal: WakeUpSignal

    init(limits: LiveValue<QuotaLimits>, yieldingTo: DeliveryOrder?, signal: WakeUpSignal, otherSignal: WakeUpSignal) {
        self.limits = limits
        self.yieldingTo = yieldingTo
        self.signal = signal
        self.otherSignal = otherSignal
    }

    /// Ends a round in which this target was attempted, or its quota was found used up: the other worker may have
    /// waited for that.
    func attemptEnded() async {
        if yieldingTo == nil { otherSignal.send() }
    }
}

extension CenterClock {
    /// How long until a time by this clock, and a millisecond more, so that it has come when the worker looks; `nil`: it
    /// never comes.
    func delay(until milliseconds: Int64?) -> Duration? {
        guard let milliseconds, milliseconds != .max else { return nil }
        return .milliseconds(max(1, milliseconds - nowMilliseconds + 1))
    }
}
