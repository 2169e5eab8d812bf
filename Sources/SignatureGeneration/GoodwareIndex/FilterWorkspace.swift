// SPDX-License-Identifier: Apache-2.0

/// The memory in which filters are built, one after the other: it is asked of the system once, not for each filter. Used by one
/// thread at a time.
public final class FilterWorkspace: @unchecked Sendable {
    // Sendable: whoever builds a filter has the workspace to itself.
    private var keys = Room<UInt64>()
    private var sorted = Room<UInt64>()
    private var hashes = Room<UInt64>()
    private var tallies = Room<UInt8>()
    private var singles = Room<UInt32>()
    private var taken = Room<UInt32>()

    public init() {}

    /// Room for so many keys, whose filter is to be built in this workspace. What was in it is gone.
    public func keys(_ count: Int) -> UnsafeMutableBufferPointer<UInt64> {
        UnsafeMutableBufferPointer(start: keys.first(count), count: count)
    }

    /// Room to sort so many keys in; the same as that of ``peeling(keys:slots:)``, which comes after.
    func sorting(_ count: Int) -> UnsafeMutablePointer<UInt64> { sorted.first(count) }

    /// What peeling needs.
    struct Peeling {
        let hashes: UnsafeMutablePointer<UInt64>
        let tallies: UnsafeMutablePointer<UInt8>
        let singles: UnsafeMutablePointer<UInt32>
        let order: UnsafeMutablePointer<UInt64>
        let taken: UnsafeMutablePointer<UInt32>
    }

    func peeling(keys: Int, slots: Int) -> Peeling {
        // A slot falls to a single key only once, so there is room for every slot; and one that is written and not counted.
        Peeling(
            hashes: hashes.first(slots), tallies: tallies.first(slots), singles: singles.first(slots + 1), order: sorted.first(keys),
            taken: taken.first(keys))
    }

    /// Numbers, of which more are had where they are needed. Their values are not kept then.
    private struct Room<Number: FixedWidthInteger>: ~Copyable {
        private var base = UnsafeMutablePointer<Number>.allocate(capacity: 1)
        private var capacity = 1

        mutating func first(_ count: Int) -> UnsafeMutablePointer<Number> {
            if count > capacity {
                base.deallocate()
                // Filters of one index differ little in size.
                capacity = count + count / 16
                base = .allocate(capacity: capacity)
            }
            return base
        }

        deinit { base.deallocate() }
    }
}
