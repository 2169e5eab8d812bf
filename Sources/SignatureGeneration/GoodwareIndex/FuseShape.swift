// SPDX-License-Identifier: Apache-2.0

import func Glibc.log2

/// The shape of one binary fuse filter: which slots a key has, and what they must hold together.
///
/// Four-wise binary fuse filters of 8 bits (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters",
/// 2022): about 8.6 bits for each key. A key that was added is always found, any other with a probability of 1/256.
public struct FuseShape: Hashable, Sendable {
    /// Changes the slots of all keys when they could not be placed; 0 keeps sorted keys together in memory.
    public var seed: UInt64
    /// Of the slots where a key's first slot may lie, in segments; 0 for a filter without keys.
    public var segments: UInt32
    /// A segment's length in slots is 2 to the power of this, at most 18.
    public var segmentBits: UInt32

    public init(seed: UInt64, segments: UInt32, segmentBits: UInt32) {
        self.seed = seed
        self.segments = segments
        self.segmentBits = segmentBits
    }

    /// In slots of one byte.
    public var slotCount: Int {
        segments == 0 ? 0 : (Int(segments) + 3) << Int(segmentBits)
    }

    /// In bits: the largest segment that the paper's formula gives is 2^18 slots.
    static let maxSegmentBits: UInt32 = 18
    /// In bits: as long as the segments of a filter are made, so that those of a key stay near the processor. The paper's formula
    /// gives longer ones from some five million keys on; that these are enough was found by trying.
    private static let mostSegmentBits = 13
    /// A bound for files that state any number: filters of 2^26 segments and more are never built.
    static let maxSegments: UInt32 = 1 << 26
    /// From this many keys on, less room than the paper's formula gives is enough. Found by trying it on the goodware of
    /// a machine; where it is not enough, building takes another seed.
    private static let manyKeys = 1 << 20
    private static let roomForManyKeys = 1.06

    /// A shape for a number of keys. The formulas of the segment's length and of the room, with their constants, are the
    /// paper's for four slots.
    init(keys: Int) {
        guard keys > 0 else {
            self.init(seed: 0, segments: 0, segmentBits: 0)
            return
        }
        let logarithm = log2(Double(max(keys, 2)))
        let bits = min(Self.mostSegmentBits, max(2, Int(logarithm / log2(2.91) - 0.5)))
        let factor = keys < Self.manyKeys ? max(1.075, 0.77 + 0.305 * log2(600_000) / logarithm) : Self.roomForManyKeys
        let all = (Int(Double(max(keys, 2)) * factor) >> bits) + 1
        self.init(seed: 0, segments: UInt32(max(1, all - 3)), segmentBits: UInt32(bits))
    }

    /// The slots' hash of a key. Without a seed it keeps the keys' order, so that sorted keys lie near each other.
    @inline(__always)
    func spread(_ key: UInt64) -> UInt64 {
        guard seed != 0 else { return key }
        // The finisher of splitmix64 (Steele, Lea and Flood 2014).
        var mixed = key &+ seed
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// The four slots of a key.
    struct Slots {
        let first, second, third, fourth: Int

        /// - Parameter which: 0 to 3.
        @inline(__always)
        subscript(which: Int) -> Int {
            switch which {
            case 0: first
            case 1: second
            case 2: third
            default: fourth
            }
        }
    }

    /// The slots of a hash, in four segments that follow each other.
    @inline(__always)
    func slots(_ hash: UInt64) -> Slots {
        let length = 1 &<< Int(segmentBits)
        let mask = length - 1
        let first = Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(segments) &<< UInt64(segmentBits)).high)
        let other = Int(truncatingIfNeeded: ((hash ^ (hash >> 32)) &* 0xd6e8_feb8_6659_fd93) >> 10)
        // Each segment takes bits of its own, as many as the largest has.
        return Slots(
            first: first, second: (first &+ length) ^ (other & mask), third: (first &+ 2 &* length) ^ ((other >> 18) & mask),
            fourth: (first &+ 3 &* length) ^ ((other >> 36) & mask))
    }

    /// The end of the segments that the slots of a key are in: the later its first slot, the later, and at most ``slotCount``.
    @inline(__always)
    func end(behind slots: Slots) -> Int {
        ((slots.first &>> Int(segmentBits)) &+ 4) &<< Int(segmentBits)
    }

    /// The exclusive or of a hash's four slots.
    @inline(__always)
    static func fingerprint(_ hash: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: (hash &* 0xff51_afd7_ed55_8ccd) >> 56)
    }

    /// - Parameter slots: at least ``slotCount`` of them.
    @inline(__always)
    func contains(_ key: UInt64, slots base: UnsafeRawPointer) -> Bool {
        guard segments != 0 else { return false }
        let hash = spread(key)
        let place = slots(hash)
        let first = base.load(fromByteOffset: place.first, as: UInt8.self) ^ base.load(fromByteOffset: place.second, as: UInt8.self)
        let last = base.load(fromByteOffset: place.third, as: UInt8.self) ^ base.load(fromByteOffset: place.fourth, as: UInt8.self)
        return first ^ last == Self.fingerprint(hash)
    }
}
