// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Remembers which calls were reported, so that another backend's report of the same call can be told: a call that is let
/// through is seen by the kernel backend, too. One that is denied ends here and is seen by nobody else.
struct ReportDeduplicator {
    struct Key: Hashable, Sendable {
        var thread: Int32
        var callersAddress: UInt64
        var call: CriticalCall
    }

    /// How many are remembered, the latest.
    static let most = 4096

    private var keys: Set<Key> = []
    private var order: [Key] = []
    private var oldest = 0

    func contains(_ key: Key) -> Bool { keys.contains(key) }

    mutating func insert(_ key: Key) {
        guard keys.insert(key).inserted else { return }
        if order.count < Self.most {
            order.append(key)
        } else {
            keys.remove(order[oldest])
            order[oldest] = key
            oldest = (oldest + 1) % Self.most
        }
    }
}
