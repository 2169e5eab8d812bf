// SPDX-License-Identifier: Apache-2.0

/// How much may wait in a ``FairQueue``.
package struct FairQueueBounds: Hashable, Sendable {
    /// In all.
    package var rows: Int
    package var bytes: Int
    /// A holder may have one in so many of the places and bytes.
    package var share: Int
    /// The last part of the places and bytes, one in so many, is for holders of whom nothing waits.
    package var reserve: Int

    package init(rows: Int, bytes: Int, share: Int = 8, reserve: Int = 4) {
        self.rows = rows
        self.bytes = bytes
        self.share = share
        self.reserve = reserve
    }
}

/// Why something may not wait.
package enum FairQueueRefusal: Hashable, Sendable {
    /// There is no room.
    case full
    /// Its holder has a share of it all.
    case shareUsed
}

/// What waits for its turn: within bounds, each holder within its share, and taken from holders in turn, so that one that
/// sends much keeps nobody waiting but itself. Every step takes the same time however much waits.
package struct FairQueue<Element> {
    fileprivate struct Lane {
        var items: [(element: Element, bytes: Int)] = []
        /// Those before it have been taken.
        var first = 0
        var bytes = 0

        var count: Int { items.count - first }

        /// Half at a time: removing single ones from the front would move the rest each time.
        mutating func taken(_ removed: Int) {
            first += 1
            bytes -= removed
            guard first > items.count / 2 else { return }
            items.removeFirst(first)
            first = 0
        }
    }

    private let bounds: FairQueueBounds
    private var lanes: [String: Lane] = [:]
    /// The holders of whom something waits, the next one first; those before `firstTurn` have had theirs.
    private var turns: [String] = []
    private var firstTurn = 0
    package private(set) var count = 0
    package private(set) var bytes = 0

    package init(_ bounds: FairQueueBounds) { self.bounds = bounds }

    package var isEmpty: Bool { count == 0 }

    /// Whether something of a holder may wait; `nil`: it may.
    package func refusal(of holder: String, bytes added: Int) -> FairQueueRefusal? {
        guard count < bounds.rows, bytes + added <= bounds.bytes else { return .full }
        // One message may wait whatever its size is.
        guard let lane = lanes[holder] else { return nil }
        guard lane.count < max(1, bounds.rows / bounds.share), lane.bytes + added <= bounds.bytes / bounds.share else { return .shareUsed }
        let isReserved = count >= bounds.rows - bounds.rows / bounds.reserve || bytes + added > bounds.bytes - bounds.bytes / bounds.reserve
        return isReserved ? .full : nil
    }

    /// Adds what may wait: ``refusal(of:bytes:)`` was asked.
    package mutating func add(_ element: Element, of holder: String, bytes added: Int) {
        if lanes[holder] == nil { turns.append(holder) }
        lanes[holder, default: Lane()].items.append((element, added))
        lanes[holder]?.bytes += added
        count += 1
        bytes += added
    }

    /// Takes one of each holder in turn, until so many are taken, or so many bytes (the first is taken whatever its size is).
    package mutating func take(maxRows: Int, maxBytes: Int) -> [Element] {
        var (taken, takenBytes): ([Element], Int) = ([], 0)
        while firstTurn < turns.count, taken.count < maxRows {
            let holder = turns[firstTurn]
            guard let next = lanes[holder].flatMap({ $0.items[$0.first] }), taken.isEmpty || takenBytes + next.bytes <= maxBytes else {
                break
            }
            firstTurn += 1
            taken.append(next.element)
            takenBytes += next.bytes
            remove(next.bytes, of: holder)
        }
        if firstTurn > turns.count / 2 {
            turns.removeFirst(firstTurn)
            firstTurn = 0
        }
        return taken
    }

    /// Takes out what no longer waits: the first of a holder that is meant. It takes as long as the holder has waiting, and as there are
    /// holders.
    package mutating func remove(of holder: String, where isMeant: (Element) -> Bool) -> Element? {
        guard var lane = lanes[holder], let place = lane.items[lane.first...].firstIndex(where: { isMeant($0.element) }) else { return nil }
        let removed = lane.items.remove(at: place)
        lane.bytes -= removed.bytes
        count -= 1
        bytes -= removed.bytes
        guard lane.count == 0 else {
            lanes[holder] = lane
            return removed.element
        }
        lanes[holder] = nil
        if let turn = turns[firstTurn...].firstIndex(of: holder) { turns.remove(at: turn) }
        return removed.element
    }

    private mutating func remove(_ removed: Int, of holder: String) {
        count -= 1
        bytes -= removed
        guard lanes[holder]?.count ?? 0 > 1 else { return lanes[holder] = nil }
        lanes[holder]?.taken(removed)
        turns.append(holder)
    }
}

extension FairQueue: Sendable where Element: Sendable {}
extension FairQueue.Lane: Sendable where Element: Sendable {}
