// SPDX-License-Identifier: Apache-2.0

/// Remembers which calls were reported, so that another backend's report of the same call is recognised: a call that is let
/// through continues into the kernel, where the kernel backend sees it as well. A call that is denied ends here.
struct ReportDeduplicator {
    /// How many calls are remembered, the latest.
    static let maxKeys = 4096

    private var keys: Set<ReportKey> = []
    private var order: [ReportKey] = []
    private var oldest = 0

    func contains(_ key: ReportKey) -> Bool { keys.contains(key) }

    mutating func insert(_ key: ReportKey) {
        guard keys.insert(key).inserted else { return }
        if order.count < Self.maxKeys {
            order.append(key)
        } else {
            keys.remove(order[oldest])
            order[oldest] = key
            oldest = (oldest + 1) % Self.maxKeys
        }
    }
}
