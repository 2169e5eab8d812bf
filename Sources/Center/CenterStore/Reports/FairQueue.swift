// SPDX-License-Identifier: Apache-2.0

/// How much may wait in a ``FairQueue``.
struct FairQueueBounds: Hashable, Sendable {
    /// In all. 64 MiB are what a center can spare, and 8,192 of the largest packets.
    var rows = 8192
    var bytes = 64 << 20
    /// A reporter may have one in so many of the places and bytes.
    var share = 8
    /// The last part of the places and bytes, one in so many, is for reporters of which nothing waits.
    var reserve = 4
}

/// Why something may not wait.
enum FairQueueRefusal: Hashable, Sendable {
    /// There is no room.
    case full
    /// The reporter has its share.
    case shareUsed
}

/// What waits for its turn: within bounds, each reporter within its share, and taken from reporters in turn, so that one that
/// sends much keeps nobody waiting but itself. Every step takes the same time however much waits.
struct FairQueue<Element> {
    private struct Lane {
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
    /// The reporters of whom something waits, the next one first; those before `firstTurn` have had theirs.
    private var turns: [String] = []
    private var firstTurn = 0
    private(set) var count = 0
    private(set) var bytes = 0

    init(_ bounds: FairQueueBounds = FairQueueBounds()) { self.bounds = bounds }

    var isEmpty: Bool { count == 0 }

    /// Whether something of a reporter may wait; `nil`: it may.
    func refusal(of reporter: String, bytes added: Int) -> FairQueueRefusal? {
        guard count < bounds.rows, bytes + added <= bounds.bytes else { return .full }
        // One message may wait whatever its size is.
        guard let lane = lanes[reporter] else { return nil }
        guard lane.count < max(1, bounds.rows / bounds.share), lane.bytes + added <= bounds.bytes / bounds.share else { return .shareUsed }
        let isReserved = count >= bounds.rows - bounds.rows / bounds.reserve || bytes + added > bounds.bytes - bounds.bytes / bounds.reserve
        return isReserved ? .full : nil
    }

    /// Adds what may wait: ``refusal(of:bytes:)`` was asked.
    mutating func add(_ element: Element, of reporter: String, bytes added: Int) {
        if lanes[reporter] == nil { turns.append(reporter) }
        lanes[reporter, default: Lane()].items.append((element, added))
        lanes[reporter]?.bytes += added
        count += 1
        bytes += added
    }

    /// Takes one of each reporter in turn, until so many are taken, or so many bytes (the first is taken whatever its size is).
    mutating func take(maxRows: Int, maxBytes: Int) -> [Element] {
        var (taken, takenBytes): ([Element], Int) = ([], 0)
        while firstTurn < turns.count, taken.count < maxRows {
            let reporter = turns[firstTurn]
            guard let next = lanes[reporter].flatMap({ $0.items[$0.first] }), taken.isEmpty || takenBytes + next.bytes <= maxBytes else {
                break
            }
            firstTurn += 1
            taken.append(next.element)
            takenBytes += next.bytes
            remove(next.bytes, of: reporter)
        }
        if firstTurn > turns.count / 2 {
            turns.removeFirst(firstTurn)
            firstTurn = 0
        }
        return taken
    }

    private mutating func remove(_ removed: Int, of reporter: String) {
        count -= 1
        bytes -= removed
        guard lanes[reporter]?.count ?? 0 > 1 else { return lanes[reporter] = nil }
        lanes[reporter]?.taken(removed)
        turns.append(reporter)
    }
}
