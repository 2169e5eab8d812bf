// SPDX-License-Identifier: Apache-2.0

/// Sorts keys by their digits (least significant first): for millions of random keys faster than by comparisons.
enum KeySort {
    /// - Returns: how many different keys are now at the front, in ascending order.
    static func sortAndUnique(_ keys: UnsafeMutableBufferPointer<UInt64>) -> Int {
        guard keys.count > 1, let base = keys.baseAddress else { return keys.count }
        if keys.count < 1024 {
            var few = keys
            few.sort()
        } else {
            let other = UnsafeMutablePointer<UInt64>.allocate(capacity: keys.count)
            defer { other.deallocate() }
            // Eight digits of 8 bits: an even number of passes ends where it began.
            for digit in 0..<4 {
                pass(base, other, keys.count, shift: UInt64(16 * digit))
                pass(other, base, keys.count, shift: UInt64(16 * digit + 8))
            }
        }
        var count = 1
        for index in 1..<keys.count where base[index] != base[count - 1] {
            base[count] = base[index]
            count += 1
        }
        return count
    }

    private static func pass(
        _ from: UnsafeMutablePointer<UInt64>, _ to: UnsafeMutablePointer<UInt64>, _ count: Int, shift: UInt64
    ) {
        withUnsafeTemporaryAllocation(of: Int.self, capacity: 256) { buffer in
            guard let places = buffer.baseAddress else { return }
            places.initialize(repeating: 0, count: 256)
            for index in 0..<count { places[Int(truncatingIfNeeded: (from[index] &>> shift) & 255)] += 1 }
            var sum = 0
            for digit in 0..<256 {
                let size = places[digit]
                places[digit] = sum
                sum += size
            }
            for index in 0..<count {
                let key = from[index]
                let digit = Int(truncatingIfNeeded: (key &>> shift) & 255)
                to[places[digit]] = key
                places[digit] += 1
            }
        }
    }
}
