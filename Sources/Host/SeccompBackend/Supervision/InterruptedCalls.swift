// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp

/// Calls that a signal took back before they were answered.
///
/// Without the wait flag of seccomp (runtimes that can't set it; Linux before 5.19) a signal ends the wait of a call for its answer;
/// after the handler the call starts over, and is notified anew. A program with a fast timer, or Go's preemption, would so have its
/// call reported again and again, and never answered, since looking at a call that is to be reported takes longer than the signals
/// let it wait.
struct InterruptedCalls {
    /// The call itself, as it comes again: the same thread at the same place with the same arguments.
    struct Key: Hashable {
        private var thread: UInt32
        private var architecture: UInt32
        private var number: Int32
        private var instructionPointer: UInt64
        private var arguments: [UInt64]

        init(_ notification: epitope_notification) {
            thread = notification.thread
            architecture = notification.audit_architecture
            number = notification.number
            instructionPointer = notification.instruction_pointer
            arguments = withUnsafeBytes(of: notification.arguments) { Array($0.bindMemory(to: UInt64.self)) }
        }
    }

    /// What was found of it before.
    struct Entry: Hashable {
        var verdict: Verdict
        /// How often it was inspected.
        var inspections = 1
        /// Whether it was reported, or its report suppressed: not to be done again.
        var isReported = false

        /// Whether it is denied without another look. Inspected anew as long as there is time for that: what looks like the same
        /// call could be another one by then. A call is never let through without a look.
        var isSettled: Bool { verdict.denies && isReported && inspections >= InterruptedCalls.maxInspections }
    }

    /// How many calls are remembered, the latest.
    static let maxCalls = 64
    static let maxInspections = 3

    private var entries: [(key: Key, entry: Entry)] = []

    /// Remembers a call that was taken back; the oldest is forgotten if there are too many.
    mutating func insert(_ entry: Entry, for key: Key) {
        entries.removeAll { $0.key == key }
        if entries.count == Self.maxCalls { entries.removeFirst() }
        entries.append((key, entry))
    }

    /// What is known of a call, which is forgotten here; `nil` of a call that was not taken back.
    mutating func take(_ key: Key) -> Entry? {
        guard let index = entries.firstIndex(where: { $0.key == key }) else { return nil }
        return entries.remove(at: index).entry
    }

    var isEmpty: Bool { entries.isEmpty }
}
