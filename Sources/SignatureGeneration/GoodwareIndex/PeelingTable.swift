// SPDX-License-Identifier: Apache-2.0

import CPrefetch

extension FuseShape {
    /// Builds the filter of keys.
    ///
    /// - Parameter keys: without repetitions. Their order changes nothing but the time, which is least when they are sorted.
    /// - Returns: the filter's shape and its slots.
    static func build(
        _ keys: UnsafeBufferPointer<UInt64>, in workspace: FilterWorkspace
    ) -> (shape: FuseShape, slots: [UInt8]) {
        defer { withExtendedLifetime(workspace) {} }
        var shape = FuseShape(keys: keys.count)
        guard !keys.isEmpty else { return (shape, []) }
        var attempt = 0
        while true {
            var table = PeelingTable(shape: shape, keys: keys, workspace.peeling(keys: keys.count, slots: shape.slotCount))
            if table.peel() { return (shape, table.filledSlots()) }
            // Rare for many keys. Some seeds fail for a handful of keys, which then get more room.
            attempt += 1
            shape.seed = shape.seed &+ 0x9e37_79b9_7f4a_7c15  // the increment of SplitMix64
            if attempt.isMultiple(of: 4) { shape.segments += max(1, shape.segments / 16) }
        }
    }
}

/// Places keys in slots by peeling.
///
/// If a slot has a single key, that key can take the slot, and is removed from its three other slots. That leaves single
/// keys in more slots, and so on until no key is left. Filled in the opposite order, the four slots of every key agree.
private struct PeelingTable {
    private let shape: FuseShape
    private let keyCount: Int
    /// For each slot, the exclusive or of the hashes of its keys: of a single key, its hash.
    private let hashes: UnsafeMutablePointer<UInt64>
    /// For each slot, the number of its keys. One byte, so that the slots in use stay near the processor; see ``isCrowded``.
    private let tallies: UnsafeMutablePointer<UInt8>
    /// A slot got more keys than a tally can count, as the sum of all tallies tells: with four slots for each key, and about as
    /// many slots as keys, that only happens to keys that were chosen for it. Nothing is placed then, and another seed is taken.
    private var isCrowded = false
    /// A stack of slots that had a single key when they were pushed.
    private let singles: UnsafeMutablePointer<UInt32>
    private var singleCount = 0
    /// The hashes of the keys that were removed, in that order, and the slot that each took.
    private let order: UnsafeMutablePointer<UInt64>
    private let taken: UnsafeMutablePointer<UInt32>
    private var placedCount = 0
    /// How many slots are taken from the stack at once: the next of them can be looked at before the last has been worked off. Few,
    /// so that slots which lie near each other are worked off together.
    private static let batch = 64

    init(shape: FuseShape, keys: UnsafeBufferPointer<UInt64>, _ room: FilterWorkspace.Peeling) {
        self.shape = shape
        keyCount = keys.count
        let count = shape.slotCount
        (hashes, tallies, singles) = (room.hashes, room.tallies, room.singles)
        (order, taken) = (room.order, room.taken)
        // Slots are cleared a segment at a time, as sorted keys come to them: so they are near the processor when they are used.
        var cleared = 0
        for key in keys {
            let hash = shape.spread(key)
            let place = shape.slots(hash)
            let end = shape.end(behind: place)
            if end > cleared { clear(&cleared, to: end) }
            self.count(place.first, hash)
            self.count(place.second, hash)
            self.count(place.third, hash)
            self.count(place.fourth, hash)
        }
        clear(&cleared, to: count)
        var sum = 0
        for slot in 0..<count { sum &+= Int(tallies[slot]) }
        isCrowded = sum != 4 * keyCount
        for slot in 0..<count { pushIfSingle(slot) }
    }

    /// Removes single keys until none is left.
    ///
    /// - Returns: whether every key was placed.
    mutating func peel() -> Bool {
        guard !isCrowded else { return false }
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.batch) { batch in
            guard let batch = batch.baseAddress else { return }
            while singleCount > 0 {
                let count = min(Self.batch, singleCount)
                singleCount &-= count
                batch.update(from: singles + singleCount, count: count)
                for index in 0..<count { fetch(shape.slots(hashes[Int(batch[index])])) }
                for index in 0..<count {
                    let slot = Int(batch[index])
                    guard tallies[slot] == 1 else { continue }
                    let hash = hashes[slot]
                    order[placedCount] = hash
                    taken[placedCount] = UInt32(truncatingIfNeeded: slot)
                    placedCount &+= 1
                    remove(hash)
                }
            }
        }
        return placedCount == keyCount
    }

    /// The slots, filled in the opposite order of ``peel()``.
    func filledSlots() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: shape.slotCount) { filled, initialized in
            initialized = shape.slotCount
            guard let base = filled.baseAddress else { return }
            var cleared = 0
            for index in stride(from: placedCount - 1, through: 0, by: -1) {
                let place = shape.slots(order[index])
                let end = shape.end(behind: place)
                if end > cleared {
                    (base + cleared).initialize(repeating: 0, count: end - cleared)
                    cleared = end
                }
                // The key's own slot is still 0: each is taken once.
                base[Int(taken[index])] =
                    FuseShape.fingerprint(order[index]) ^ base[place.first] ^ base[place.second] ^ base[place.third] ^ base[place.fourth]
            }
            (base + cleared).initialize(repeating: 0, count: shape.slotCount - cleared)
        }
    }

    private func clear(_ cleared: inout Int, to end: Int) {
        (hashes + cleared).initialize(repeating: 0, count: end - cleared)
        (tallies + cleared).initialize(repeating: 0, count: end - cleared)
        cleared = end
    }

    /// The slots of a batch are farther from each other than the processor keeps near. Those of a slot that has no single key are
    /// any slots: they are fetched for nothing.
    @inline(__always)
    private func fetch(_ place: FuseShape.Slots) {
        epitope_prefetch(hashes + place.first)
        epitope_prefetch(hashes + place.second)
        epitope_prefetch(hashes + place.third)
        epitope_prefetch(hashes + place.fourth)
    }

    /// Without a branch: which slots have a single key can't be foreseen.
    @inline(__always)
    private mutating func pushIfSingle(_ slot: Int) {
        singles[singleCount] = UInt32(truncatingIfNeeded: slot)
        singleCount &+= tallies[slot] == 1 ? 1 : 0
    }

    @inline(__always)
    private mutating func count(_ slot: Int, _ hash: UInt64) {
        hashes[slot] ^= hash
        tallies[slot] &+= 1
    }

    @inline(__always)
    private mutating func remove(_ hash: UInt64) {
        let place = shape.slots(hash)
        uncount(place.first, hash)
        uncount(place.second, hash)
        uncount(place.third, hash)
        uncount(place.fourth, hash)
    }

    @inline(__always)
    private mutating func uncount(_ slot: Int, _ hash: UInt64) {
        hashes[slot] ^= hash
        tallies[slot] &-= 1
        pushIfSingle(slot)
    }
}
