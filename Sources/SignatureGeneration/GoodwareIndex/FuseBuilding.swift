// SPDX-License-Identifier: Apache-2.0

extension FuseShape {
    /// Places keys by peeling: a slot that one key alone has is that key's to set, so the key can be taken out and
    /// others become alone; set in the opposite order, every key's slots agree.
    ///
    /// - Parameter keys: without repetitions; quickest when sorted.
    /// - Returns: the filter's shape and its slots.
    static func build(_ keys: UnsafeBufferPointer<UInt64>) -> (shape: FuseShape, slots: [UInt8]) {
        var shape = FuseShape(keys: keys.count)
        guard !keys.isEmpty else { return (shape, []) }
        var attempt = 0
        while true {
            if let slots = shape.place(keys) { return (shape, slots) }
            // Rare for many keys; some seeds fail for a handful, which then get more room.
            attempt += 1
            shape.seed = shape.seed &+ 0x9e37_79b9_7f4a_7c15
            if attempt.isMultiple(of: 4) { shape.segments += max(1, shape.segments / 16) }
        }
    }

    private func place(_ keys: UnsafeBufferPointer<UInt64>) -> [UInt8]? {
        let count = slotCount
        // For each slot: the exclusive or of its keys' hashes; 4 times their number, with the exclusive or of which of
        // their four slots it is in the low two bits.
        let hashes = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
        let tallies = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
        let alone = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
        let order = UnsafeMutablePointer<UInt64>.allocate(capacity: keys.count)
        let chosen = UnsafeMutablePointer<UInt8>.allocate(capacity: keys.count)
        defer {
            hashes.deallocate()
            tallies.deallocate()
            alone.deallocate()
            order.deallocate()
            chosen.deallocate()
        }
        hashes.initialize(repeating: 0, count: count)
        tallies.initialize(repeating: 0, count: count)
        for key in keys {
            let hash = spread(key)
            let place = slots(hash)
            Self.toggle(hashes, place, hash)
            tallies[place.0] &+= 4
            tallies[place.1] = (tallies[place.1] &+ 4) ^ 1
            tallies[place.2] = (tallies[place.2] &+ 4) ^ 2
            tallies[place.3] = (tallies[place.3] &+ 4) ^ 3
        }
        var waiting = 0
        for slot in 0..<count where tallies[slot] >> 2 == 1 {
            alone[waiting] = UInt32(slot)
            waiting += 1
        }
        var placed = 0
        while waiting > 0 {
            waiting -= 1
            let slot = Int(alone[waiting])
            guard tallies[slot] >> 2 == 1 else { continue }
            let hash = hashes[slot]
            order[placed] = hash
            chosen[placed] = UInt8(truncatingIfNeeded: tallies[slot] & 3)
            placed += 1
            let place = slots(hash)
            Self.toggle(hashes, place, hash)
            for which in 0..<4 {
                let other = which == 0 ? place.0 : which == 1 ? place.1 : which == 2 ? place.2 : place.3
                tallies[other] = (tallies[other] &- 4) ^ UInt32(truncatingIfNeeded: which)
                // A tally falls to one key only once, so there is room for every slot.
                if tallies[other] >> 2 == 1 {
                    alone[waiting] = UInt32(truncatingIfNeeded: other)
                    waiting += 1
                }
            }
        }
        guard placed == keys.count else { return nil }
        return [UInt8](unsafeUninitializedCapacity: count) { filled, initialized in
            filled.initialize(repeating: 0)
            initialized = count
            for index in stride(from: placed - 1, through: 0, by: -1) {
                let place = slots(order[index])
                let own = chosen[index] == 0 ? place.0 : chosen[index] == 1 ? place.1 : chosen[index] == 2 ? place.2 : place.3
                filled[own] = 0
                filled[own] = Self.fingerprint(order[index]) ^ filled[place.0] ^ filled[place.1] ^ filled[place.2] ^ filled[place.3]
            }
        }
    }

    @inline(__always)
    private static func toggle(_ hashes: UnsafeMutablePointer<UInt64>, _ place: (Int, Int, Int, Int), _ hash: UInt64) {
        hashes[place.0] ^= hash
        hashes[place.1] ^= hash
        hashes[place.2] ^= hash
        hashes[place.3] ^= hash
    }
}
