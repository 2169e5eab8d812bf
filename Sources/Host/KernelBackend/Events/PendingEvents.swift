// SPDX-License-Identifier: Apache-2.0

/// Events that were read but not released: unacknowledged reports, and the events after them. The ring buffer releases room only in order.
struct PendingEvents {
    private var entries: [(position: UInt64, report: Int?)] = []

    var isEmpty: Bool { entries.isEmpty }

    /// - Parameter report: the number of the event's report; `nil` if there is nothing to wait for.
    mutating func add(_ position: UInt64, report: Int?) { entries.append((position, report)) }

    /// Takes acknowledgements. Returns the position up to which room can be released; `nil` if it is no more than before.
    mutating func settle(acknowledged: Set<Int>) -> UInt64? {
        if !acknowledged.isEmpty {
            for index in entries.indices where entries[index].report.map(acknowledged.contains) ?? false { entries[index].report = nil }
        }
        let first = entries.firstIndex { $0.report != nil } ?? entries.count
        guard first > 0 else { return nil }
        defer { entries.removeFirst(first) }
        return entries[first - 1].position
    }
}
