// SPDX-License-Identifier: Apache-2.0

/// Connections in the order of their last use. What was of use again since, or is gone, stays in it for a while.
struct UseOrder {
    private var items: [(id: ObjectIdentifier, turn: UInt64)] = []
    /// Those before it have been taken.
    private var first = 0
    /// How long it may be before what stayed in it is removed.
    private var bound = 64

    /// - Parameter isCurrent: whether an item was of no use since.
    mutating func add(_ id: ObjectIdentifier, _ turn: UInt64, where isCurrent: (ObjectIdentifier, UInt64) -> Bool) {
        items.append((id, turn))
        guard items.count >= bound else { return }
        items = items[first...].filter { isCurrent($0.id, $0.turn) }
        first = 0
        // Seldom enough that it costs each item little.
        bound = max(64, 2 * items.count)
    }

    mutating func takeFirst(where isCurrent: (ObjectIdentifier, UInt64) -> Bool) -> ObjectIdentifier? {
        while first < items.count {
            let item = items[first]
            first += 1
            if isCurrent(item.id, item.turn) { return item.id }
        }
        return nil
    }
}
