// SPDX-License-Identifier: Apache-2.0

extension FuseShape {
    /// Builds the filter of keys.
    ///
    /// - Parameter keys: without repetitions; fastest when sorted.
    /// - Returns: the filter's shape and its slots.
    static func build(_ keys: UnsafeBufferPointer<UInt64>) -> (shape: FuseShape, slots: [UInt8]) {
        var shape = FuseShape(keys: keys.count)
        guard !keys.isEmpty else { return (shape, []) }
        var attempt = 0
        while true {
            var table = PeelingTable(shape: shape, keys: keys)
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
private struct PeelingTable: ~Copyable {
    private let shape: FuseShape
    private let keyCount: Int
    /// For each slot, the exclusive or of the hashes of its keys: of a single key, its hash.
    private let hashes: UnsafeMutablePointer<UInt64>
    /// For each slot, 4 times the number of its keys, and in the low two bits the exclusive or of which of their four
    /// slots it is.
    private let tallies: UnsafeMutablePointer<UInt32>
    /// A stack of slots that had a single key when they were pushed.
    private let singles: UnsafeMutablePointer<UInt32>
    private var singleCount = 0
    /// The hashes of the keys that were removed, in that order, and which of its four slots each key took.
    private let order: UnsafeMutablePointer<UInt64>
    private let choices: UnsafeMutablePointer<UInt8>
    private var placedCount = 0

    init(shape: FuseShape, keys: UnsafeBufferPointer<UInt64>) {
        self.shape = shape
        keyCount = keys.count
        let count = shape.slotCount
        hashes = .allocate(capacity: count)
        tallies = .allocate(capacity: count)
        // A slot falls to a single key only once, so there is room for every slot.
        singles = .allocate(capacity: count)
        order = .allocate(capacity: keyCount)
        choices = .allocate(capacity: keyCount)
        hashes.initialize(repeating: 0, count: count)
        tallies.initialize(repeating: 0, count: count)
        for key in keys { add(shape.spread(key)) }
        for slot in 0..<count where isSingle(slot) { push(slot) }
    }

    deinit {
        hashes.deallocate()
        tallies.deallocate()
        singles.deallocate()
        order.deallocate()
        choices.deallocate()
    }

    /// Removes single keys until none is left.
    ///
    /// - Returns: whether every key was placed.
    mutating func peel() -> Bool {
        while singleCount > 0 {
            singleCount -= 1
            let slot = Int(singles[singleCount])
            guard isSingle(slot) else { continue }
            order[placedCount] = hashes[slot]
            choices[placedCount] = UInt8(truncatingIfNeeded: tallies[slot] & 3)
            placedCount += 1
            remove(hashes[slot])
        }
        return placedCount == keyCount
    }

    /// The slots, filled in the opposite order of ``peel()``.
    func filledSlots() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: shape.slotCount) { filled, initialized in
            filled.initialize(repeating: 0)
            initialized = shape.slotCount
            for index in stride(from: placedCount - 1, through: 0, by: -1) {
                let place = shape.slots(order[index])
                let own = place[Int(choices[index])]
                filled[own] = 0
                filled[own] =
                    FuseShape.fingerprint(order[index]) ^ filled[place[0]] ^ filled[place[1]] ^ filled[place[2]] ^ filled[place[3]]
            }
        }
    }

    @inline(__always)
    private func isSingle(_ slot: Int) -> Bool { tallies[slot] >> 2 == 1 }

    @inline(__always)
    private mutating func push(_ slot: Int) {
        singles[singleCount] = UInt32(truncatingIfNeeded: slot)
        singleCount += 1
    }

    @inline(__always)
    private func add(_ hash: UInt64) {
        let place = shape.slots(hash)
        for which in 0..<4 {
            hashes[place[which]] ^= hash
            tallies[place[which]] = (tallies[place[which]] &+ 4) ^ UInt32(truncatingIfNeeded: which)
        }
    }

    @inline(__always)
    private mutating func remove(_ hash: UInt64) {
        let place = shape.slots(hash)
        for which in 0..<4 { hashes[place[which]] ^= hash }
        for which in 0..<4 {
            let slot = place[which]
            tallies[slot] = (tallies[slot] &- 4) ^ UInt32(truncatingIfNeeded: which)
            if isSingle(slot) { push(slot) }
        }
    }
}
