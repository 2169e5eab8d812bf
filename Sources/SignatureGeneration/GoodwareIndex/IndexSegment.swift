// SPDX-License-Identifier: Apache-2.0

/// Bytes in memory that stay as they are for as long as their owner lives: an array's copy, or a mapped file.
public struct ImmutableBytes: @unchecked Sendable {
    // Sendable: nobody writes to the bytes after they were handed over, and the owner keeps them in place.
    let bytes: UnsafeRawBufferPointer
    private let owner: AnyObject

    /// - Parameters:
    ///   - bytes: unchanged and in place until the owner is released.
    public init(_ bytes: UnsafeRawBufferPointer, ownedBy owner: AnyObject) {
        self.bytes = bytes
        self.owner = owner
    }

    /// A copy.
    init(copying array: [UInt8]) {
        let copy = Allocation(array.count)
        copy.bytes.copyBytes(from: array)
        self.init(UnsafeRawBufferPointer(copy.bytes), ownedBy: copy)
    }

    private final class Allocation {
        let bytes: UnsafeMutableRawBufferPointer

        init(_ count: Int) {
            bytes = .allocate(byteCount: count, alignment: 16)
        }

        deinit { bytes.deallocate() }
    }
}

/// The grams of one build or update: a filter for each part of the keys, split by their first bits.
public struct IndexSegment: Sendable {
    /// The corpus that it was built from.
    public struct Contents: Hashable, Sendable {
        /// In bytes: all that was read, with repetitions.
        public var corpusBytes: UInt64
        /// Different selected grams.
        public var keys: UInt64
        /// Of them in the sample (``GramSelection/sampling``).
        public var sampledKeys: UInt64

        public init(corpusBytes: UInt64 = 0, keys: UInt64 = 0, sampledKeys: UInt64 = 0) {
            self.corpusBytes = corpusBytes
            self.keys = keys
            self.sampledKeys = sampledKeys
        }

        /// An estimate, in bytes: those of the corpus without repetitions of 16 bytes and more.
        public var distinctBytes: UInt64 {
            let product = sampledKeys.multipliedReportingOverflow(by: GramSelection.sampling)
            // A file may state any count.
            return product.overflow ? .max : product.partialValue
        }
    }

    /// A key's first bits, so many (0 to 8), tell its filter.
    public let partitionBits: Int
    /// 2 to the power of ``partitionBits`` filters, whose slots follow each other.
    public let filters: [FuseShape]
    public let contents: Contents
    private let starts: [Int]
    private let slots: ImmutableBytes

    /// `nil` when the filters' number or sizes don't fit.
    public init?(partitionBits: Int, filters: [FuseShape], contents: Contents, slots: ImmutableBytes) {
        guard (0...8).contains(partitionBits), filters.count == 1 << partitionBits else { return nil }
        var starts: [Int] = []
        var end = 0
        for filter in filters {
            guard filter.segmentBits <= FuseShape.maxSegmentBits, filter.segments <= FuseShape.maxSegments else { return nil }
            starts.append(end)
            end += filter.slotCount
        }
        guard end == slots.bytes.count else { return nil }
        self.partitionBits = partitionBits
        self.filters = filters
        self.contents = contents
        self.starts = starts
        self.slots = slots
    }

    /// In bytes, of the filters.
    public var slotBytes: Int { slots.bytes.count }

    /// The filters' slots, to be copied to a file.
    public func withSlots<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(slots.bytes)
    }

    /// Whether the key was added. A wrong yes has a probability of 1/256, a wrong no does not happen.
    func contains(_ key: UInt64) -> Bool {
        let partition = Self.partition(of: key, bits: partitionBits)
        guard let base = slots.bytes.baseAddress else { return false }
        return filters[partition].contains(Self.within(key, bits: partitionBits), slots: base + starts[partition])
    }

    /// The filter of a key when keys are split by so many first bits (0 to 8).
    @inline(__always)
    public static func partition(of key: UInt64, bits: Int) -> Int {
        Int(truncatingIfNeeded: key >> UInt64(64 - bits))  // a smart shift: none is left for 0 bits
    }

    /// The key as its filter knows it: the bits that all keys of the filter share go to the end.
    @inline(__always)
    private static func within(_ key: UInt64, bits: Int) -> UInt64 {
        key << UInt64(bits) | key >> UInt64(64 - bits)
    }

    /// Makes the filter of one partition.
    ///
    /// - Parameters:
    ///   - keys: all of one partition, in any order, with repetitions; sorted and made different in place.
    ///   - workspace: the memory to build it in, which may hold the keys.
    /// - Returns: the filter's shape and slots, how many different keys it has, and how many of them are sampled.
    public static func filter(
        of keys: UnsafeMutableBufferPointer<UInt64>, partitionBits bits: Int, in workspace: FilterWorkspace
    ) -> (shape: FuseShape, slots: [UInt8], keys: Int, sampled: Int) {
        defer { withExtendedLifetime(workspace) {} }
        var sampled = 0
        let count = KeySort.sortAndUnique(keys, with: workspace.sorting(keys.count), sharedBits: bits) { part in
            for index in part.indices {
                sampled &+= GramSelection.isSampled(part[index]) ? 1 : 0
                part[index] = within(part[index], bits: bits)
            }
        }
        let (shape, slots) = FuseShape.build(UnsafeBufferPointer(rebasing: keys[..<count]), in: workspace)
        return (shape, slots, count, sampled)
    }
}
