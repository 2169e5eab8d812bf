// SPDX-License-Identifier: Apache-2.0

/// What retention leaves of entries that it removes: an entry of the chain itself says how many there were, up to which, and the last
/// one's hash. So the entry that is now the first can still be checked, and that something is missing is known to be retention's doing.
struct AuditCheckpoint: Hashable {
    /// The last entry that was removed.
    var last: AuditHead
    /// How many were removed at that time.
    var count: Int64
    /// Why, for a person.
    var reason: String

    /// The entry's detail: `count=12 last=40:9f86... older than 730 days`.
    var text: String { "count=\(count) last=\(last) \(reason)" }

    init(last: AuditHead, count: Int64, reason: String) {
        (self.last, self.count, self.reason) = (last, count, reason)
    }

    /// - Returns: `nil`: the entry is no checkpoint.
    init?(_ entry: AuditEntry) {
        guard entry.action == CenterEvent.Step.auditPruned.rawValue else { return nil }
        let parts = entry.detail.split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0].hasPrefix("count="), let count = Int64(parts[0].dropFirst(6)), parts[1].hasPrefix("last="),
            let last = AuditHead(String(parts[1].dropFirst(5)))
        else { return nil }
        self.init(last: last, count: count, reason: parts.count > 2 ? String(parts[2]) : "")
    }
}
